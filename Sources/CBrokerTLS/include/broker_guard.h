// What libmosquitto 2.0.11 needs against hostile brokers: an end to its assertion and to packets of any length.

#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Runs `loop(client, a, b)` on this thread, so that no broker can end the process or fill its memory.
///
/// With MQTT 5, a property that the standard doesn't know makes libmosquitto call its log without a client, and that
/// asserts (lib/property_mosq.c; mended in later versions). Here it is an error of the connection like every other.
/// Nothing is locked and nothing half changed at that place, and callbacks have returned, so no frame of Swift is jumped
/// over. And it reads what is missing of a packet in one call, so who asks for more than `most` bytes is in the middle of
/// a packet that is too long: nothing is read then.
/// @return what `loop` returns, or `broken` after an assertion.
int broker_guard_loop(int (*loop)(void *client, int a, int b), void *client, int a, int b, size_t most, int broken);

/// Whether the last loop on this thread met a packet that is too long.
bool broker_guard_is_too_long(void);
