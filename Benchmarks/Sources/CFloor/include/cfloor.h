// The limit in C that the driver is compared with, and the servers that both talk to. Own code, nothing copied.
#ifndef LINESIDE_CFLOOR_H
#define LINESIDE_CFLOOR_H

#include <stdint.h>

/// CPU time of the calling thread in nanoseconds.
int64_t cfloor_thread_cpu(void);

/// Standard output goes out line by line, into a pipe too.
void cfloor_show_lines(void);

/// Keeps this thread, and what it starts, on one processor; negative: on all again.
void cfloor_pin(int processor);

/// Starts a Modbus TCP server as a child process, so that its CPU time is not ours. It listens on one port of
/// 127.0.1.1, 127.0.1.2 … (`addresses` of them) and answers functions 3 and 4 of every unit: register a holds a.
/// Call while the process has one thread. Returns the port, or -1.
int cfloor_server_start(int addresses);
/// Ends the server, and whatever else was started.
void cfloor_stop_children(void);
/// Requests that the server has answered since the start.
int64_t cfloor_requests(void);
/// Forgets the arrivals so far and notes those of requests that begin at register 0, for the first `most` addresses.
void cfloor_note_arrivals(int on);
/// How many were noted for the server at 127.0.1.`address`, and when the n-th came (CLOCK_MONOTONIC, nanoseconds).
int cfloor_arrivals(int address);
int64_t cfloor_arrival(int address, int n);

/// The floor: libmodbus reads 125 registers `reads` times and decodes nothing.
/// Returns CPU nanoseconds of the calling thread for each read; negative on failure.
double cfloor_read_loop(int port, int reads);

/// The floor of the rhythm: libmodbus reads 8 × 125 registers from address 0 on each multiple of `period_ns`, sleeping
/// with clock_nanosleep. Returns 0, or -1 on failure.
int cfloor_rhythm_loop(int port, int64_t period_ns, int cycles);

/// Starts `socat` with a pair of pseudo terminals linked as `left` and `right`. Returns 0 when both are there.
int cfloor_start_line(const char *left, const char *right);
/// Starts an RTU server at `path` as a child process that answers function 3 at the speed of a real line: the request's
/// characters, 3.5 of silence, `turnaround_us`, then each character of the answer at its time.
int cfloor_start_rtu_server(const char *path, int baud, int bits_per_character, int turnaround_us);

#endif
