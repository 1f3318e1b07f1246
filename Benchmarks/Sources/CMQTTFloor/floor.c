// The floor of MQTT in: libmosquitto's own loop, a callback that counts. Own code, nothing copied.
#include "mqttfloor.h"

#include <mosquitto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

struct count {
    int64_t messages, cpu, start, last;
    int subscribed;
};

static void message(struct mosquitto *client, void *context, const struct mosquitto_message *message) {
    (void)client;
    (void)message;
    struct count *count = context;
    if (count->messages++ == 0) {
        count->cpu = clock_of(CLOCK_THREAD_CPUTIME_ID);
        count->start = clock_of(CLOCK_MONOTONIC);
    }
}

static void subscribed(struct mosquitto *client, void *context, int id, int granted, const int *qos) {
    (void)client, (void)id, (void)granted, (void)qos;
    ((struct count *)context)->subscribed = 1;
}

int64_t mqttfloor_subscribe(int port, const char *name, int qos, int64_t wanted, int64_t *cpu, int64_t *took) {
    mosquitto_lib_init();
    struct count count;
    memset(&count, 0, sizeof count);
    struct mosquitto *client = mosquitto_new(name, name == NULL, &count);
    mosquitto_message_callback_set(client, message);
    mosquitto_subscribe_callback_set(client, subscribed);
    if (mosquitto_connect(client, "127.0.0.1", port, 60)) return -1;
    mosquitto_subscribe(client, NULL, "bench/#", qos);
    int64_t quiet = clock_of(CLOCK_MONOTONIC), seen = 0;
    while (mosquitto_loop(client, 100, 1) == MOSQ_ERR_SUCCESS) {
        if (wanted == 0 ? count.subscribed : count.messages >= wanted) break;
        if (count.messages != seen || (count.messages == 0 && wanted > 0 && seen == 0)) {
            // The clock is read once in many messages: it is no part of the floor.
            if (count.messages == 0 || (count.messages & 1023) == 0) quiet = clock_of(CLOCK_MONOTONIC);
            seen = count.messages;
        } else if (clock_of(CLOCK_MONOTONIC) - quiet > 5000000000LL) {
            break;
        }
    }
    *cpu = clock_of(CLOCK_THREAD_CPUTIME_ID) - count.cpu;
    *took = clock_of(CLOCK_MONOTONIC) - count.start;
    mosquitto_disconnect(client);
    mosquitto_destroy(client);
    return count.messages;
}

static void published(struct mosquitto *client, void *context, int id) {
    (void)client, (void)id;
    ++*(volatile int64_t *)context;
}

int mqttfloor_publish(int port, int qos, int64_t wanted, int64_t rate) {
    mosquitto_lib_init();
    volatile int64_t done = 0;
    struct mosquitto *client = mosquitto_new(NULL, true, (void *)&done);
    mosquitto_publish_callback_set(client, published);
    mosquitto_max_inflight_messages_set(client, 500);
    if (mosquitto_connect(client, "127.0.0.1", port, 60)) return 1;
    int64_t sent = 0, start = clock_of(CLOCK_MONOTONIC);
    while (done < wanted) {
        int64_t most = qos ? 500 : 2000;
        if (rate && sent * 1000000000LL / rate > clock_of(CLOCK_MONOTONIC) - start) most = 0;
        for (int i = 0; i < 100 && sent < wanted && sent - done < most; i++) {
            char topic[16], payload[128];
            snprintf(topic, sizeof topic, "bench/d%d", (int)(sent % 10));
            int length = snprintf(
                payload, sizeof payload, "{\"ts\":%lld,\"temp\":%d.%02d,\"rms\":%d.%03d,\"state\":\"RUN\",\"pad\":\"",
                1795467761000LL + sent / 10, 20 + (int)(sent % 60), (int)(sent % 100), (int)(sent % 7),
                (int)(sent % 1000));
            memset(payload + length, 'x', 98 - length);
            memcpy(payload + 98, "\"}", 2);
            if (mosquitto_publish(client, NULL, topic, 100, payload, qos, false)) return 1;
            sent++;
        }
        if (mosquitto_loop(client, 1, 1)) return 1;
    }
    mosquitto_disconnect(client);
    mosquitto_destroy(client);
    return 0;
}
