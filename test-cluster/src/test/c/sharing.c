/*
 * Two processes, one shared mapping: sharing FILE ROUNDS. They hand a counter and a payload to each other; whoever sees the
 * counter change must see the payload that was stored before. Then a gigabyte-sized variant: sharing FILE fill MIB.
 */
#include "check.h"
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define WORDS 512

struct page {
	_Atomic uint64_t turn;
	uint64_t payload[WORDS - 1];
};

static void play(const char *file, uint64_t me, uint64_t rounds)
{
	int fd = MUST(open(file, O_RDWR));
	struct page *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		_exit(1);
	}
	for (uint64_t turn = me; turn < rounds; turn += 2) {
		while (atomic_load(&p->turn) != turn)
			sched_yield();
		for (int i = 0; turn > 0 && i < WORDS - 1; i++)
			if (p->payload[i] != turn * 1000 + i) {
				printf("FAIL sharing: in turn %lu word %d is %lu\n", turn, i, p->payload[i]);
				fflush(stdout);
				_exit(1);
			}
		for (int i = 0; i < WORDS - 1; i++)
			p->payload[i] = (turn + 1) * 1000 + i;
		atomic_store(&p->turn, turn + 1);
	}
	MUST(msync(p, sizeof *p, MS_SYNC));
	_exit(0);
}

static int hand_over(const char *file, uint64_t rounds)
{
	int fd = make_file(file, ""), status;
	MUST(ftruncate(fd, sizeof(struct page)));
	for (uint64_t me = 0; me < 2; me++)
		if (fork() == 0)
			play(file, me, rounds);
	while (wait(&status) > 0)
		CHECK(status == 0);
	uint64_t turn = 0;
	EQUALS(8, OK(pread(fd, &turn, 8, 0)));
	EQUALS(rounds, turn);
	return check_failures != 0;
}

static uint64_t word_at(uint64_t i) { return i * 0x9e3779b97f4a7c15ULL + 1; }

/* Writes MIB mebibytes through one mapping, syncs, reads them back through read(2) after the cache is dropped. */
static int fill(const char *file, long mib)
{
	int fd = make_file(file, "");
	long bytes = mib << 20;
	MUST(ftruncate(fd, bytes));
	uint64_t *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *b = malloc(1 << 20);
	if (map == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (long i = 0; i < bytes / 8; i++)
		map[i] = word_at(i);
	OK(msync(map, bytes, MS_SYNC));
	OK(munmap(map, bytes));
	OK(fsync(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	long wrong = 0;
	for (long m = 0; m < mib; m++) {
		EQUALS(1 << 20, OK(pread(fd, b, 1 << 20, m << 20)));
		for (long i = 0; i < (1 << 17); i++)
			wrong += b[i] != word_at((m << 17) + i);
	}
	EQUALS(0, wrong);
	OK(close(fd));
	return check_failures != 0;
}

int main(int argc, char **argv)
{
	check_case = "sharing";
	if (argc == 3)
		return hand_over(argv[1], strtoull(argv[2], NULL, 10));
	if (argc == 4 && !strcmp(argv[2], "fill"))
		return fill(argv[1], atol(argv[3]));
	fprintf(stderr, "usage: sharing FILE ROUNDS | sharing FILE fill MIB\n");
	return 2;
}
