/*
 * What stands between a reader and bytes that are elsewhere, and the floors under it. Every mode prints one line.
 *
 *   far read4k FILE SECONDS     4 KiB, O_DIRECT, random: "READS MEDIAN_US P99_US"
 *   far echo SECONDS            raw TCP over loopback, 64 bytes there, 4 KiB back: "ROUNDS MEDIAN_US P99_US"
 *   far stream FILE SECONDS     1 MiB, O_DIRECT, ascending: "BYTES_PER_SECOND"
 *   far cold FILE SECONDS       1 MiB through the page cache, dropped before each pass: "BYTES_PER_SECOND"
 *   far tcp SECONDS             raw TCP over loopback, 64 bytes there, 1 MiB back: "BYTES_PER_SECOND"
 *   far memcpy FILE SECONDS     from a mapping of FILE (on tmpfs) to anonymous memory, 1 MiB at a time: "BYTES_PER_SECOND"
 *   far write FILE MIB          a new file, 1 MiB at a time, fsync, close: "BYTES_PER_SECOND"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096L
#define MIB (1024L * 1024L)
#define REQUEST_BYTES 64
/* As many as anything here does in ten seconds; later ones are not timed one by one. */
#define MAX_SAMPLES 2000000L

static void fail(const char *what)
{
	fprintf(stderr, "far: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long must(long result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t state = 88172645463325252ULL;
static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static char *aligned(long bytes)
{
	char *p = aligned_alloc(PAGE, bytes);
	if (!p)
		fail("aligned_alloc");
	memset(p, 0x5a, bytes);
	return p;
}

static float *samples;
static long taken;

static void take(double seconds)
{
	if (taken < MAX_SAMPLES)
		samples[taken++] = seconds * 1e6;
}

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return x < y ? -1 : x > y;
}

static void print_latencies(void)
{
	qsort(samples, taken, sizeof *samples, ascending);
	printf("%ld %.1f %.1f\n", taken, samples[taken / 2], samples[taken * 99 / 100]);
}

static int open_file(const char *path, int flags, long *size)
{
	struct stat st;
	int fd = must(open(path, flags, 0644), path);
	must(fstat(fd, &st), path);
	*size = st.st_size;
	return fd;
}

static void transfer(ssize_t got, long wanted, const char *what)
{
	if (got != wanted)
		fail(what);
}

static void read4k(const char *path, double seconds)
{
	long size;
	int fd = open_file(path, O_RDONLY | O_DIRECT, &size);
	char *page = aligned(PAGE);
	for (double before = now(), end = before + seconds; before < end;) {
		transfer(pread(fd, page, PAGE, next_random() % (size / PAGE) * PAGE), PAGE, path);
		double after = now();
		take(after - before);
		before = after;
	}
	print_latencies();
}

static void stream(const char *path, int flags, double seconds)
{
	long size, bytes = 0;
	int fd = open_file(path, O_RDONLY | flags, &size);
	char *data = aligned(MIB);
	double spent = 0;
	while (spent < seconds) {
		if (!(flags & O_DIRECT) && (errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)))
			fail("posix_fadvise");
		double began = now();
		for (long at = 0; at + MIB <= size && (!(flags & O_DIRECT) || now() - began < seconds); at += MIB, bytes += MIB)
			transfer(pread(fd, data, MIB, at), MIB, path);
		spent += now() - began;
	}
	printf("%.0f\n", bytes / spent);
}

static void copy(const char *path, double seconds)
{
	long size, bytes = 0;
	int fd = open_file(path, O_RDONLY, &size);
	char *from = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0), *to = aligned(MIB);
	if (from == MAP_FAILED)
		fail("mmap");
	double began = now(), ended;
	do {
		for (long at = 0; at + MIB <= size; at += MIB, bytes += MIB) {
			memcpy(to, from + at, MIB);
			__asm__ volatile("" : : "r"(to) : "memory"); /* the copy is wanted though nobody looks */
		}
		ended = now();
	} while (ended - began < seconds);
	printf("%.0f\n", bytes / (ended - began));
}

static int receive(int fd, char *data, long bytes)
{
	for (long done = 0; done < bytes;) {
		ssize_t n = must(read(fd, data + done, bytes - done), "read from the socket");
		if (n == 0)
			return 0;
		done += n;
	}
	return 1;
}

static void send_all(int fd, const char *data, long bytes)
{
	for (long done = 0; done < bytes;)
		done += must(write(fd, data + done, bytes - done), "write to the socket");
}

static void answer(int listener, long bytes)
{
	int fd = must(accept(listener, NULL, NULL), "accept"), one = 1;
	char request[REQUEST_BYTES], *data = aligned(bytes);
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
	while (receive(fd, request, sizeof request))
		send_all(fd, data, bytes);
}

/* A socket to a process that answers each request with so many bytes. */
static int connect_to_echo(long bytes)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket"), one = 1;
	must(bind(listener, (struct sockaddr *)&address, length), "bind");
	must(listen(listener, 1), "listen");
	must(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
	if (must(fork(), "fork") == 0) {
		answer(listener, bytes);
		_exit(0);
	}
	close(listener);
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(connect(fd, (struct sockaddr *)&address, length), "connect");
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
	return fd;
}

static void echo(long answer_bytes, double seconds)
{
	int fd = connect_to_echo(answer_bytes);
	char request[REQUEST_BYTES] = {0}, *data = aligned(answer_bytes);
	double began = now(), before = began;
	long rounds = 0;
	for (; before < began + seconds; rounds++) {
		send_all(fd, request, sizeof request);
		if (!receive(fd, data, answer_bytes))
			fail("the echo ended");
		double after = now();
		take(after - before);
		before = after;
	}
	if (answer_bytes == PAGE)
		print_latencies();
	else
		printf("%.0f\n", rounds * (double)answer_bytes / (before - began));
}

static void write_new(const char *path, long mib)
{
	char *data = aligned(MIB);
	int fd = must(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644), path);
	double began = now();
	for (long i = 0; i < mib; i++)
		transfer(pwrite(fd, data, MIB, i * MIB), MIB, path);
	must(fsync(fd), "fsync");
	must(close(fd), "close");
	printf("%.0f\n", mib * MIB / (now() - began));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	samples = malloc(MAX_SAMPLES * sizeof *samples);
	if (!samples)
		fail("malloc");
	if (argc == 3 && !strcmp(mode, "echo"))
		echo(PAGE, atof(argv[2]));
	else if (argc == 3 && !strcmp(mode, "tcp"))
		echo(MIB, atof(argv[2]));
	else if (argc == 4 && !strcmp(mode, "read4k"))
		read4k(argv[2], atof(argv[3]));
	else if (argc == 4 && !strcmp(mode, "stream"))
		stream(argv[2], O_DIRECT, atof(argv[3]));
	else if (argc == 4 && !strcmp(mode, "cold"))
		stream(argv[2], 0, atof(argv[3]));
	else if (argc == 4 && !strcmp(mode, "memcpy"))
		copy(argv[2], atof(argv[3]));
	else if (argc == 4 && !strcmp(mode, "write"))
		write_new(argv[2], atol(argv[3]));
	else
		return fprintf(stderr, "usage: far read4k|stream|cold|memcpy FILE SECONDS | echo|tcp SECONDS | write FILE MIB\n"), 2;
	return 0;
}
