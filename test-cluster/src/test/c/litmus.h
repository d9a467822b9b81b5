/*
 * The stage for litmus.c: processes that see one file through different mounts, cells in that file, and a start in common that does not
 * involve the file.
 */
#ifndef TESSERA_LITMUS_H
#define TESSERA_LITMUS_H

#include "history.h"
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#define PAGE 4096
#define PAGES 16
#define PACKED_PAGE 8
#define MAX_PROCESSES 4
#define MAX_RESULTS 8
#define WAIT_LIMIT_NS 30000000000u

/* STALE is how a broken file system would look: half of the loads give what this process saw last. It proves that tests can fail. */
enum how { MAPPED, FILE_IO, MIXED, STALE, HOWS };

/* In memory that the processes share, outside of any file. */
struct stage {
	pthread_barrier_t start, end;
	_Atomic uint64_t turn, arrived;
	uint64_t results[MAX_PROCESSES][MAX_RESULTS];
	uint64_t outcomes[16];
};

static struct stage *stage;
static enum how how;
static int me, processes, fd;
static char *map;
static uint64_t random_state;
static const char *my_directory;

/* Cells lie on pages of their own in odd rounds, on one page in even ones. */
static size_t cell_at(int cell, uint64_t round)
{
	return round % 2 ? (size_t)cell * PAGE : PACKED_PAGE * PAGE + (size_t)cell * 64;
}

static int by_map(void) { return how == MAPPED || how == STALE || (how == MIXED && random_next(&random_state) % 2); }

static uint64_t get_at(size_t at)
{
	static uint64_t last[PAGES * PAGE / 8];
	uint64_t value;
	if (how == STALE && random_next(&random_state) % 2)
		return last[at / 8];
	if (by_map())
		return last[at / 8] = atomic_load((_Atomic uint64_t *)(map + at));
	MUST(pread(fd, &value, 8, (off_t)at) == 8 ? 0 : -1);
	return value;
}

static void put_at(size_t at, uint64_t value)
{
	if (by_map())
		atomic_store((_Atomic uint64_t *)(map + at), value);
	else
		MUST(pwrite(fd, &value, 8, (off_t)at) == 8 ? 0 : -1);
}

static uint64_t get(int cell, uint64_t round) { return get_at(cell_at(cell, round)); }
static void put(int cell, uint64_t round, uint64_t value) { put_at(cell_at(cell, round), value); }

static void give_up(const char *what, uint64_t round)
{
	printf("FAIL %s: process %d, round %lu: %s\n", check_case, me, round, what);
	fflush(stdout);
	_exit(1);
}

/* For waiting on another process: lets it run, and ends the program when it does not come. */
static void patience(uint64_t since, const char *what, uint64_t round)
{
	if (now_ns() - since > WAIT_LIMIT_NS)
		give_up(what, round);
	sched_yield();
}

/*
 * All begin round k at nearly the same moment: a barrier wakes them one after the other, so they meet once more in a loop. Then a delay by
 * chance, of up to tens of microseconds, which is what an access to another node's page takes.
 */
static void begin_round(uint64_t k)
{
	uint64_t since = now_ns();
	pthread_barrier_wait(&stage->start);
	atomic_fetch_add(&stage->arrived, 1);
	for (int spins = 1; atomic_load(&stage->arrived) < k * (uint64_t)processes; spins++)
		if (spins % 256 == 0)
			patience(since, "the others do not come", k);
	uint64_t kind = random_next(&random_state) % 4;
	for (uint64_t spins = kind == 0 ? 0 : random_next(&random_state) % (kind == 3 ? 50000 : 200); spins > 0; spins--)
		atomic_signal_fence(memory_order_seq_cst);
}

/* Waits for its turn, which goes round by memory outside of the file system. */
static void await_turn(uint64_t turn)
{
	uint64_t since = now_ns();
	while (atomic_load(&stage->turn) < turn)
		patience(since, "the other process does not come", turn);
}

/* Races need processors of their own; left alone, two processes that wake each other end up on one. */
static void choose_processor(void)
{
	cpu_set_t allowed, one;
	MUST(sched_getaffinity(0, sizeof allowed, &allowed));
	int left = me % CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && left-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			MUST(sched_setaffinity(0, sizeof one, &one));
			return;
		}
}

static void open_file(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	my_directory = directory;
	fd = MUST(open(path, O_RDWR));
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(map == MAP_FAILED ? -1 : 0);
	MUST(madvise(map, PAGES * PAGE, MADV_RANDOM));
}

static void make_stage(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int file = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
	MUST(ftruncate(file, PAGES * PAGE));
	MUST(close(file));
	stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(stage == MAP_FAILED ? -1 : 0);
	pthread_barrierattr_t shared;
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&stage->start, &shared, (unsigned)processes);
	pthread_barrier_init(&stage->end, &shared, (unsigned)processes);
}

/* Waits for all; the first that fails ends the others. */
static int await_all(const pid_t *pids)
{
	int failed = 0, status;
	pid_t pid;
	while ((pid = wait(&status)) > 0)
		if (status != 0) {
			if (!failed && WIFSIGNALED(status))
				printf("FAIL %s: a process died of signal %d\n", check_case, WTERMSIG(status));
			failed = 1;
			for (int i = 0; i < processes; i++)
				if (pids[i] != pid)
					kill(pids[i], SIGKILL);
		}
	return failed;
}

#endif
