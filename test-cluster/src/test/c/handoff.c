/*
 * Two processes hand one mapped page to each other: handoff HANDOFFS DIR [DIR]. The second works in the second directory. Prints the
 * time per hand-off, and how it is spread.
 */
#include "history.h"
#include <sys/wait.h>

#define PAGE 4096
#define WORDS (PAGE / 8 - 1)
#define WAIT_LIMIT_NS 30000000000u
#define WARM_UP 100

struct page {
	_Atomic uint64_t turn;
	uint64_t words[WORDS];
};

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static double us(uint64_t ns) { return (double)ns / 1000; }

/* Whoever sees that it is its turn must see all that the other wrote before. Process 0 measures rounds of two. */
static void play(const char *path, uint64_t me, uint64_t handoffs)
{
	int fd = MUST(open(path, O_RDWR));
	struct page *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(p == MAP_FAILED ? -1 : 0);
	uint64_t *times = calloc(handoffs, sizeof *times), n = 0, last = 0;
	for (uint64_t turn = me; turn < handoffs; turn += 2) {
		uint64_t since = now_ns();
		for (int spins = 0; atomic_load(&p->turn) != turn; spins++)
			if (spins % 64 == 63) {
				sched_yield();
				if (now_ns() - since > WAIT_LIMIT_NS) {
					printf("FAIL handoff: turn %lu does not come\n", turn);
					fflush(stdout);
					_exit(1);
				}
			}
		for (int i = 0; turn > 0 && i < WORDS; i += 73)
			if (p->words[i] != turn + (uint64_t)i) {
				printf("FAIL handoff: in turn %lu word %d is %lu\n", turn, i, p->words[i]);
				fflush(stdout);
				_exit(1);
			}
		for (int i = 0; i < WORDS; i++)
			p->words[i] = turn + 1 + (uint64_t)i;
		uint64_t now = now_ns();
		if (turn > WARM_UP)
			times[n++] = (now - last) / 2;
		last = now;
		atomic_store(&p->turn, turn + 1);
	}
	if (me == 0 && n > 0) {
		uint64_t total = 0;
		for (uint64_t i = 0; i < n; i++)
			total += times[i];
		qsort(times, n, sizeof *times, ascending);
		printf("handoffs %lu, us per hand-off: mean %.1f, median %.1f, 99 %% %.1f, longest %.1f\n", handoffs, us(total / n),
		       us(times[n / 2]), us(times[n * 99 / 100]), us(times[n - 1]));
	}
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	check_case = "handoff";
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: handoff HANDOFFS DIR [DIR]\n");
		return 2;
	}
	int failed = 0, status;
	char path[4096];
	snprintf(path, sizeof path, "%s/handoff", argv[2]);
	int fd = make_file(path, "");
	MUST(ftruncate(fd, PAGE));
	MUST(close(fd));
	for (int me = 0; me < 2; me++) {
		snprintf(path, sizeof path, "%s/handoff", argv[argc == 4 ? 2 + me : 2]);
		if (MUST(fork()) == 0)
			play(path, (uint64_t)me, strtoull(argv[1], NULL, 10));
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
