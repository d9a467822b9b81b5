/* Two processes write 4 KiB pages, O_DIRECT, for a while: the even and the odd pages of one file, or each its own file.
 * usage: alternate one|two SECONDS DIR DIR   prints the writes per second of both together */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 4096 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_file(const char *dir, const char *name, int flags)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, flags, 0644);
	if (fd < 0)
		fail(path);
	return fd;
}

static void fill(const char *dir, const char *name)
{
	static char zeros[1 << 20];
	int fd = open_file(dir, name, O_CREAT | O_WRONLY | O_TRUNC);
	for (int i = 0; i < PAGES / 256; i++)
		if (write(fd, zeros, sizeof zeros) != sizeof zeros)
			fail("write");
	if (fsync(fd) || close(fd))
		fail("close");
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return fprintf(stderr, "usage: alternate one|two SECONDS DIR DIR\n"), 2;
	int apart = !strcmp(argv[1], "two"), status, failed = 0;
	double seconds = atof(argv[2]);
	fill(argv[3], "alternate-0");
	fill(argv[4], "alternate-1");
	atomic_long *writes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int me = 0; me < 2; me++) {
		if (fork())
			continue;
		int fd = open_file(argv[3 + me], apart && me ? "alternate-1" : "alternate-0", O_WRONLY | O_DIRECT);
		char *page = aligned_alloc(PAGE, PAGE);
		memset(page, 'a' + me, PAGE);
		long done = 0;
		for (double end = now() + seconds; now() < end; done++)
			if (pwrite(fd, page, PAGE, (off_t)((2 * done + me) % PAGES) * PAGE) != PAGE)
				fail("pwrite");
		atomic_fetch_add(writes, done);
		_exit(0);
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	printf("%.0f\n", atomic_load(writes) / seconds);
	return failed;
}
