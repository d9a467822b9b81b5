/*
 * Random reads and writes of the 8-byte registers of one file, recorded:
 *
 *   histload FILE HISTORY PROCESS SEED OPERATIONS LIMIT_MS PAUSE_US WAYS [sync] [tolerant]
 *
 * WAYS is one or several, joined by commas, of
 *   file     pread and pwrite
 *   map      loads and stores in a shared mapping
 *   direct   pread and pwrite with O_DIRECT; not together with others: Linux does not keep them coherent even on one host
 * With "sync" a write is done when fdatasync or msync(MS_SYNC) succeeded. Without "tolerant" an error ends the program with status 1;
 * with it the operation stays of unknown outcome, and the file is opened and mapped anew.
 *
 * The registers: four to a page, on the first pages of the file. Values are unique: the process above bit 40, a counter below.
 */
#include "history.h"
#include <setjmp.h>
#include <signal.h>

#define PAGE 4096
#define PAGES 3
#define PER_PAGE 4
#define BYTES (PAGES * PAGE)
#define RETRY_NS 20000000

enum way { FILE_IO, MAPPED, DIRECT, WAYS };

static const char *path;
static int tolerant, sync_writes, fd = -1, direct_fd = -1;
static char *map = MAP_FAILED;
static sigjmp_buf on_error;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(on_error, 1);
}

static void pause_ns(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	nanosleep(&t, NULL);
}

static void close_all(void)
{
	if (map != MAP_FAILED)
		munmap(map, BYTES);
	if (fd >= 0)
		close(fd);
	if (direct_fd >= 0)
		close(direct_fd);
	map = MAP_FAILED;
	fd = direct_fd = -1;
}

/* Makes a file of this size the first time; what is there already stays. */
static int open_all(void)
{
	struct stat st;
	fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd < 0 || fstat(fd, &st) != 0 || (st.st_size < BYTES && ftruncate(fd, BYTES) != 0))
		return -1;
	direct_fd = open(path, O_RDWR | O_DIRECT);
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return direct_fd < 0 || map == MAP_FAILED ? -1 : 0;
}

/* -1 for an error; a fault on the mapping does not return here. */
static int do_write(enum way way, off_t reg, uint64_t value)
{
	switch (way) {
	case FILE_IO:
		return pwrite(fd, &value, 8, reg) == 8 && (!sync_writes || fdatasync(fd) == 0) ? 0 : -1;
	case MAPPED:
		atomic_store((_Atomic uint64_t *)(map + reg), value);
		return sync_writes ? msync(map + reg / PAGE * PAGE, PAGE, MS_SYNC) : 0;
	default:
		return pwrite(direct_fd, &value, 8, reg) == 8 && (!sync_writes || fdatasync(direct_fd) == 0) ? 0 : -1;
	}
}

static int do_read(enum way way, off_t reg, uint64_t *value)
{
	switch (way) {
	case FILE_IO:
		return pread(fd, value, 8, reg) == 8 ? 0 : -1;
	case MAPPED:
		*value = atomic_load((_Atomic uint64_t *)(map + reg));
		return 0;
	default:
		return pread(direct_fd, value, 8, reg) == 8 ? 0 : -1;
	}
}

static int parse_ways(char *text, enum way *ways)
{
	static const char *const names[WAYS] = {"file", "map", "direct"};
	int n = 0;
	for (char *name = strtok(text, ","); name; name = strtok(NULL, ",")) {
		int found = 0;
		for (int w = 0; w < WAYS; w++)
			if (!strcmp(name, names[w]) && n < WAYS) {
				ways[n++] = (enum way)w;
				found = 1;
			}
		if (!found)
			return 0;
	}
	return n;
}

/* One operation, recorded; 0 if it was answered. */
static __attribute__((noinline)) int operate(struct history *history, enum way way, int is_write, off_t reg, uint64_t written)
{
	struct history_record *record = history_begin(history, is_write ? HISTORY_WRITE : HISTORY_READ, (uint64_t)reg, written);
	uint64_t value = written;
	if (sigsetjmp(on_error, 1) != 0) {
		errno = EFAULT;
		return -1;
	}
	if ((is_write ? do_write(way, reg, written) : do_read(way, reg, &value)) != 0)
		return -1;
	history_end(record, value);
	return 0;
}

struct options {
	uint64_t process, random, deadline, pause_ns;
	long operations;
	enum way ways[WAYS];
	int way_count;
};

static int work(struct options *o, struct history *history)
{
	uint64_t counter = 0, failed = 0;
	while (history->used < o->operations && now_ns() < o->deadline) {
		if (fd < 0 && open_all() != 0) {
			if (!tolerant)
				MUST(-1);
			close_all();
			pause_ns(RETRY_NS);
			continue;
		}
		enum way way = o->ways[random_next(&o->random) % (uint64_t)o->way_count];
		uint64_t page = random_next(&o->random) % PAGES, slot = random_next(&o->random) % PER_PAGE;
		off_t reg = (off_t)(page * PAGE + slot * (PAGE / PER_PAGE));
		int is_write = random_next(&o->random) % 2 == 0;
		if (operate(history, way, is_write, reg, is_write ? (o->process << 40) + ++counter : 0) == 0) {
			if (o->pause_ns)
				pause_ns(random_next(&o->random) % (2 * o->pause_ns));
			continue;
		}
		if (!tolerant) {
			check_fail(__FILE__, __LINE__, "%s at %ld: %s", is_write ? "write" : "read", (long)reg, strerror(errno));
			return 1;
		}
		failed++;
		close_all();
		pause_ns(RETRY_NS);
	}
	printf("process %lu: %ld operations, %lu failed\n", o->process, history->used, failed);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	check_case = "histload";
	if (argc < 9 || (o.way_count = parse_ways(argv[8], o.ways)) == 0) {
		fprintf(stderr, "usage: histload FILE HISTORY PROCESS SEED OPERATIONS LIMIT_MS PAUSE_US WAYS [sync] [tolerant]\n");
		return 2;
	}
	path = argv[1];
	o.process = strtoull(argv[3], NULL, 10);
	o.random = strtoull(argv[4], NULL, 10) * 0x9E3779B97F4A7C15u + o.process;
	o.operations = atol(argv[5]);
	o.deadline = now_ns() + strtoull(argv[6], NULL, 10) * 1000000;
	o.pause_ns = strtoull(argv[7], NULL, 10) * 1000;
	for (int i = 9; i < argc; i++) {
		sync_writes |= !strcmp(argv[i], "sync");
		tolerant |= !strcmp(argv[i], "tolerant");
	}
	signal(SIGBUS, on_bus);
	struct history history = history_create(argv[2], (uint32_t)o.process, o.operations);
	return work(&o, &history);
}
