// The floor: what a plain C program on libmodbus takes for the same reads.
#define _GNU_SOURCE
#include "cfloor.h"
#include <errno.h>
#include <modbus.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

static modbus_t *connected(int port) {
    modbus_t *context = modbus_new_tcp("127.0.1.1", port);
    if (!context) return NULL;
    modbus_set_slave(context, 1);
    if (modbus_connect(context)) {
        modbus_free(context);
        return NULL;
    }
    return context;
}

double cfloor_read_loop(int port, int reads) {
    modbus_t *context = connected(port);
    if (!context) return -1;
    uint16_t registers[125];
    int failed = 0;
    // The first read pays for the connection; it is not counted.
    modbus_read_registers(context, 0, 125, registers);
    int64_t start = cfloor_thread_cpu();
    for (int i = 0; i < reads && !failed; i++) failed = modbus_read_registers(context, 0, 125, registers) != 125;
    int64_t used = cfloor_thread_cpu() - start;
    modbus_close(context);
    modbus_free(context);
    return failed ? -1 : (double)used / reads;
}

int cfloor_rhythm_loop(int port, int64_t period_ns, int cycles) {
    modbus_t *context = connected(port);
    if (!context) return -1;
    uint16_t registers[125];
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t next = (time.tv_sec * 1000000000LL + time.tv_nsec) / period_ns * period_ns;
    int failed = 0;
    for (int cycle = 0; cycle < cycles && !failed; cycle++) {
        next += period_ns;
        time.tv_sec = next / 1000000000, time.tv_nsec = next % 1000000000;
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {}
        for (int part = 0; part < 8 && !failed; part++)
            failed = modbus_read_registers(context, part * 125, 125, registers) != 125;
    }
    modbus_close(context);
    modbus_free(context);
    return failed ? -1 : 0;
}

void cfloor_pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < 64; i++)
        if (processor < 0 || i == processor) CPU_SET(i, &set);
    sched_setaffinity(0, sizeof set, &set);
}
