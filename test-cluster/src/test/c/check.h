/* The smallest possible test kit: checks that say what they expected, and go on. Linux, C11. */
#ifndef TESSERA_CHECK_H
#define TESSERA_CHECK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int check_failures __attribute__((unused));
static const char *check_case __attribute__((unused)) = "";

__attribute__((unused, format(printf, 3, 4))) static void check_fail(const char *file, int line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("FAIL %s (%s:%d): ", check_case, file, line);
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
	check_failures++;
}

/* The condition holds. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
			check_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

/* The system call succeeds (anything but -1). */
#define OK(call) \
	({ \
		errno = 0; \
		long long check_result = (long long)(call); \
		if (check_result == -1) \
			check_fail(__FILE__, __LINE__, "%s: %s", #call, strerror(errno)); \
		check_result; \
	})

/* The system call fails with this errno. */
#define FAILS(expected, call) \
	do { \
		errno = 0; \
		long long check_result = (long long)(call); \
		if (check_result != -1) \
			check_fail(__FILE__, __LINE__, "%s: gave %lld, expected %s", #call, check_result, #expected); \
		else if (errno != (expected)) \
			check_fail(__FILE__, __LINE__, "%s: %s, expected %s", #call, strerror(errno), #expected); \
	} while (0)

/* Two integers are equal. */
#define EQUALS(expected, actual) \
	do { \
		long long check_e = (long long)(expected), check_a = (long long)(actual); \
		if (check_e != check_a) \
			check_fail(__FILE__, __LINE__, "%s is %lld (%#llx), expected %lld (%#llx)", #actual, check_a, \
				   (unsigned long long)check_a, check_e, (unsigned long long)check_e); \
	} while (0)

/* Ends the program at once: what follows would make no sense. */
#define MUST(call) \
	({ \
		errno = 0; \
		long long must_result = (long long)(call); \
		if (must_result == -1) { \
			printf("FAIL %s (%s:%d): %s: %s\n", check_case, __FILE__, __LINE__, #call, strerror(errno)); \
			fflush(stdout); \
			_exit(1); \
		} \
		must_result; \
	})

static inline struct stat stat_of(const char *path)
{
	struct stat st;
	memset(&st, 0, sizeof st);
	MUST(lstat(path, &st));
	return st;
}

static inline struct stat fstat_of(int fd)
{
	struct stat st;
	memset(&st, 0, sizeof st);
	MUST(fstat(fd, &st));
	return st;
}

static inline int make_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_CREAT | O_TRUNC | O_RDWR, 0644));
	if (text && *text)
		MUST(write(fd, text, strlen(text)));
	return fd;
}

static inline void touch(const char *path, const char *text)
{
	MUST(close(make_file(path, text)));
}

/* True if the file's whole content is this text. */
static inline int contains(const char *path, const char *text)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, buffer, sizeof buffer);
	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buffer, text, n);
}

#endif
