// What a source is compared with: a subscriber in C on libmosquitto that parses nothing, and who publishes to both.
#ifndef LINESIDE_CMQTTFLOOR_H
#define LINESIDE_CMQTTFLOOR_H

#include <stdint.h>

/// Subscribes to bench/# and counts messages until `count` have come or nothing has for five seconds.
/// With a `client` the session is kept; nil is a clean one. `count` 0: subscribes, and goes.
/// Returns the messages; their CPU time and duration in nanoseconds from the first to the last.
int64_t mqttfloor_subscribe(int port, const char *client, int qos, int64_t count, int64_t *cpu, int64_t *took);

/// Publishes `count` JSON documents of 100 bytes to bench/d0 … bench/d9 in turn, at most `rate` a second (0: no limit).
/// Returns 0 when the broker has all of them.
int mqttfloor_publish(int port, int qos, int64_t count, int64_t rate);

#endif
