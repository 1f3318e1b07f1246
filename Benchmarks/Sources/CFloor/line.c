// A serial line that is none: two pseudo terminals joined by socat, and an RTU server that keeps a real line's pace.
#define _GNU_SOURCE
#include "cfloor.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

pid_t cfloor_child(void);

void cfloor_show_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void sleep_until(int64_t moment) {
    struct timespec time = {moment / 1000000000, moment % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {}
}

static uint16_t checksum(const uint8_t *bytes, int count) {
    uint16_t crc = 0xFFFF;
    for (int i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
    }
    return crc;
}

int cfloor_start_line(const char *left, const char *right) {
    pid_t child = cfloor_child();
    if (child == 0) {
        char a[300], b[300];
        snprintf(a, sizeof a, "pty,raw,echo=0,link=%s", left);
        snprintf(b, sizeof b, "pty,raw,echo=0,link=%s", right);
        execlp("socat", "socat", a, b, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; child > 0 && i < 500; i++) {
        if (access(left, F_OK) == 0 && access(right, F_OK) == 0) return 0;
        sleep_until(now() + 10000000);
    }
    return -1;
}

int cfloor_start_rtu_server(const char *path, int baud, int bits_per_character, int turnaround_us) {
    pid_t child = cfloor_child();
    if (child != 0) return child > 0 ? 0 : -1;
    int line = open(path, O_RDWR | O_NOCTTY);
    struct termios raw;
    if (line < 0 || tcgetattr(line, &raw)) _exit(1);
    cfmakeraw(&raw);
    tcsetattr(line, TCSANOW, &raw);
    int64_t character = 1000000000LL * bits_per_character / baud;
    int64_t silence = baud > 19200 ? 1750000 : character * 7 / 2;
    uint8_t in[512], out[300];
    int filled = 0;
    for (;;) {
        ssize_t got = read(line, in + filled, sizeof in - filled);
        if (got <= 0) _exit(0);
        int64_t arrived = now();
        filled += got;
        while (filled >= 8) {
            int count = in[4] << 8 | in[5], address = in[2] << 8 | in[3];
            if (checksum(in, 6) != (in[6] | in[7] << 8) || in[1] != 3 || count < 1 || count > 125) {
                for (int i = 1; i < filled; i++) in[i - 1] = in[i];
                filled--;
                continue;
            }
            out[0] = in[0], out[1] = 3, out[2] = 2 * count;
            for (int i = 0; i < count; i++) out[3 + 2 * i] = (address + i) >> 8, out[4 + 2 * i] = address + i;
            int length = 3 + 2 * count;
            uint16_t crc = checksum(out, length);
            out[length] = crc, out[length + 1] = crc >> 8;
            length += 2;
            filled = 0;
            // The request came at once; on a line its last character would have come 8 characters later.
            int64_t begin = arrived + 8 * character + silence + turnaround_us * 1000LL;
            for (int sent = 0; sent < length;) {
                // Character n has come over when its stop bit has: a few at a time, the last one exactly.
                int part = length - sent < 16 ? length - sent : 16;
                sleep_until(begin + (sent + part) * character);
                if (write(line, out + sent, part) != part) _exit(0);
                sent += part;
            }
        }
    }
}
