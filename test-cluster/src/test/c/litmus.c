/*
 * Litmus tests of memory that processes share through one file, seen through one or several mounts:
 *
 *   litmus TEST HOW ROUNDS SEED DIR...
 *
 * Process i works in DIR number i modulo their number. HOW is map (loads and stores in a shared mapping), file (pread and pwrite) or
 * mixed; "stale" is for seeing the tests fail. Prints how often each outcome was seen; status 1 if one was that may not be.
 *
 * A page has one writer or many readers at any time, on whatever nodes; a node's processors are coherent; and the programs here use
 * sequentially consistent atomics, so that the processor reorders nothing. Together this must be sequential consistency, with nothing like
 * msync in between. Values grow, so that "new" means the value of this round, "old" any before. What may not be seen:
 *
 *   mp          writer: x = new; y = new.  reader: y, x.                             y new and x old
 *   mp-wait     the same, but the reader waits for y                                 x old, or waiting for ever
 *   sb          each writes its own and reads the other's                            both old
 *   sb-relaxed  the same with plain stores and loads                                 nothing: also seen on one x86 host
 *   iriw        two writers of x and y; two readers, one x then y, one y then x      both: first new, second old
 *   coherence   two writers of x; two readers, four times x                          an order of values that the other reader, or the
 *                                                                                    last value, contradicts
 *   counter-posix, counter-ofd, counter-flock   increments under a lock of the file  a lost increment
 *   counter-atomic                              atomic increments, map only          a lost increment
 *   seqlock     one writer of eight words on two pages under a sequence number       words that differ under one even number
 *   extend      a file grows; told so outside of the file system, the other looks    an old size, or missing bytes
 *   extend-sync the same, while the access time of who read is saved                an old size, or missing bytes
 *   extend-map  the same, looking only through a mapping, under a lock of the file  a fault, or missing bytes
 *   names       create, rename, link, unlink, told so in the same way                a name that is gone, none where there is one, or
 *                                                                                    an unlinked file that can't be read any more
 */
#include "litmus.h"

struct test {
	const char *name;
	int processes; /* 0: as many as directories, two at least */
	void (*round)(uint64_t k);
	int (*judge)(uint64_t k); /* number of the outcome; process 0, after the round */
	void (*whole)(uint64_t rounds); /* instead of the two, all rounds at once */
	const char *outcomes[8];
	unsigned forbidden; /* bits of the outcomes */
};

enum { X, Y };

#define RESULT(p, i) (stage->results[p][i])

/* ---- message passing, store buffering, independent reads ---- */

static void mp(uint64_t k)
{
	if (me == 0) {
		put(X, k, k);
		put(Y, k, k);
	} else {
		RESULT(1, 0) = get(Y, k);
		RESULT(1, 1) = get(X, k);
	}
}

static void mp_wait(uint64_t k)
{
	if (me == 0) {
		put(X, k, k);
		put(Y, k, k);
	} else {
		uint64_t since = now_ns();
		while (get(Y, k) < k)
			patience(since, "the flag does not come", k);
		RESULT(1, 0) = k;
		RESULT(1, 1) = get(X, k);
	}
}

static int judge_mp(uint64_t k) { return (RESULT(1, 0) == k ? 2 : 0) + (RESULT(1, 1) == k ? 1 : 0); }

static void sb(uint64_t k)
{
	put(me == 0 ? X : Y, k, k);
	RESULT(me, 0) = get(me == 0 ? Y : X, k);
}

static void sb_relaxed(uint64_t k)
{
	_Atomic uint64_t *mine = (_Atomic uint64_t *)(map + cell_at(me, k)), *other = (_Atomic uint64_t *)(map + cell_at(1 - me, k));
	atomic_store_explicit(mine, k, memory_order_relaxed);
	RESULT(me, 0) = atomic_load_explicit(other, memory_order_relaxed);
}

static int judge_sb(uint64_t k) { return (RESULT(0, 0) == k ? 2 : 0) + (RESULT(1, 0) == k ? 1 : 0); }

static void iriw(uint64_t k)
{
	if (me < 2) {
		put(me, k, k);
	} else {
		RESULT(me, 0) = get(me == 2 ? X : Y, k);
		RESULT(me, 1) = get(me == 2 ? Y : X, k);
	}
}

static int judge_iriw(uint64_t k)
{
	int one = RESULT(2, 0) == k, one_then = RESULT(2, 1) == k, two = RESULT(3, 0) == k, two_then = RESULT(3, 1) == k;
	if (one && !one_then && two && !two_then)
		return 3;
	return one && one_then && two && two_then ? 2 : one || two ? 1 : 0;
}

/* ---- coherence order: in round k the values are 2k and 2k + 1 ---- */

#define LOOKS 4

static void coherence(uint64_t k)
{
	if (me < 2) {
		put(X, k, 2 * k + (uint64_t)me);
		return;
	}
	for (int i = 0; i < LOOKS; i++)
		RESULT(me, i) = get(X, k);
}

/* Notes "a before b" in the bits of *order; 0 if the sequence goes back to what was there before. */
static int follow(const uint64_t *seen, int looks, uint64_t k, uint64_t last, unsigned *order)
{
	uint64_t before = 0;
	for (int i = 0; i <= looks; i++) {
		uint64_t value = i < looks ? seen[i] : last;
		if (value < 2 * k && (before >= 2 * k || i == looks))
			return 0;
		if (before >= 2 * k && value != before)
			*order |= value > before ? 1 : 2;
		before = value;
	}
	return 1;
}

static int judge_coherence(uint64_t k)
{
	unsigned order = 0;
	uint64_t last = get(X, k);
	if (!follow(stage->results[2], LOOKS, k, last, &order) || !follow(stage->results[3], LOOKS, k, last, &order))
		return 3;
	return (int)order;
}

/* ---- counters ---- */

static void lock_posix(int command, int type)
{
	struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
	MUST(fcntl(fd, command, &lock));
}

static void count(uint64_t rounds, void (*lock)(int on))
{
	for (uint64_t i = 0; i < rounds; i++) {
		if (lock) {
			lock(1);
			put(X, 1, get(X, 1) + 1);
			lock(0);
		} else {
			atomic_fetch_add((_Atomic uint64_t *)(map + cell_at(X, 1)), 1);
		}
	}
	pthread_barrier_wait(&stage->end);
	uint64_t total = get(X, 1);
	if (total != rounds * (uint64_t)processes) {
		printf("FAIL %s: process %d counts %lu, not %lu\n", check_case, me, total, rounds * (uint64_t)processes);
		fflush(stdout);
		_exit(1);
	}
	atomic_fetch_add((_Atomic uint64_t *)&stage->outcomes[0], rounds);
}

static void posix(int on) { lock_posix(F_SETLKW, on ? F_WRLCK : F_UNLCK); }
static void ofd(int on) { lock_posix(F_OFD_SETLKW, on ? F_WRLCK : F_UNLCK); }
static void whole_file(int on) { MUST(flock(fd, on ? LOCK_EX : LOCK_UN)); }
static void counter_posix(uint64_t rounds) { count(rounds, posix); }
static void counter_ofd(uint64_t rounds) { count(rounds, ofd); }
static void counter_flock(uint64_t rounds) { count(rounds, whole_file); }
static void counter_atomic(uint64_t rounds) { count(rounds, NULL); }

/* ---- seqlock: the number on page 0, words on pages 1 and 2 ---- */

#define SEQ_WORDS 8

static size_t word_at(int i) { return PAGE * (size_t)(1 + i / (SEQ_WORDS / 2)) + 8 * (size_t)i; }

static void seqlock_reader(uint64_t rounds)
{
	uint64_t before, since = now_ns();
	do {
		uint64_t words[SEQ_WORDS];
		before = get_at(0);
		if (before % 2) {
			patience(since, "the writer does not go on", before);
			continue;
		}
		for (int i = 0; i < SEQ_WORDS; i++)
			words[i] = get_at(word_at(i));
		if (get_at(0) != before) {
			atomic_fetch_add((_Atomic uint64_t *)&stage->outcomes[1], 1);
			continue;
		}
		for (int i = 0; i < SEQ_WORDS; i++)
			if (words[i] != before)
				give_up("words that differ under one even number", before / 2);
		atomic_fetch_add((_Atomic uint64_t *)&stage->outcomes[0], 1);
		since = now_ns();
	} while (before < 2 * rounds);
}

static void seqlock(uint64_t rounds)
{
	if (me > 0) {
		seqlock_reader(rounds);
		return;
	}
	for (uint64_t k = 1; k <= rounds; k++) {
		put_at(0, 2 * k - 1);
		for (int i = 0; i < SEQ_WORDS; i++)
			put_at(word_at(i), 2 * k);
		put_at(0, 2 * k);
		sched_yield();
	}
}

/* ---- sizes and names, told by a channel outside of the file system ---- */

static void extend_and(uint64_t rounds, int sync)
{
	off_t base = PAGES * PAGE;
	for (uint64_t k = 1; k <= rounds; k++) {
		off_t at = base + (off_t)(k - 1) * 8;
		await_turn(2 * (k - 1) + (uint64_t)me);
		if (me == 0) {
			if (sync)
				fstat_of(fd);
			MUST(pwrite(fd, &k, 8, at) == 8 ? 0 : -1);
		} else {
			uint64_t value = 0;
			if (fstat_of(fd).st_size != at + 8)
				give_up("an old size", k);
			if (pread(fd, &value, 8, at) != 8 || value != k)
				give_up("the new bytes are not there", k);
			stage->outcomes[0]++;
		}
		atomic_fetch_add(&stage->turn, 1);
		if (me == 1 && sync)
			MUST(fsync(fd));
	}
}

static void extend(uint64_t rounds) { extend_and(rounds, 0); }

/* The access time of who reads is saved while the other writes on. */
static void extend_sync(uint64_t rounds) { extend_and(rounds, 1); }

/* Whoever maps a file beyond its end asks the file system nothing when that moves, until it takes the lock that it shares with the writer. */
static void extend_map(uint64_t rounds)
{
	size_t base = PAGES * PAGE, bytes = base + rounds * PAGE;
	uint64_t *pages = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	MUST(pages == MAP_FAILED ? -1 : 0);
	for (uint64_t k = 1; k <= rounds; k++) {
		size_t at = base + (size_t)(k - 1) * PAGE;
		await_turn(2 * (k - 1) + (uint64_t)me);
		posix(1);
		if (me == 0) {
			MUST(pwrite(fd, &k, 8, (off_t)(at + PAGE - 8)) == 8 ? 0 : -1);
		} else {
			if (pages[(at + PAGE) / 8 - 1] != k)
				give_up("the new bytes are not there", k);
			stage->outcomes[0]++;
		}
		posix(0);
		atomic_fetch_add(&stage->turn, 1);
	}
}

static const char *path_of(const char *prefix, uint64_t k)
{
	static char paths[2][4096];
	static int which;
	which = 1 - which;
	snprintf(paths[which], sizeof paths[which], "%s/%s.%lu", my_directory, prefix, k);
	return paths[which];
}

static int there(const char *prefix, uint64_t k)
{
	struct stat st;
	if (stat(path_of(prefix, k), &st) == 0)
		return 1;
	if (errno != ENOENT)
		give_up(strerror(errno), k);
	return 0;
}

#define NAME_STEPS 5

static void change_names(uint64_t k, int step)
{
	const char *path;
	switch (step) {
	case 0:
		path = path_of("one", k);
		int file = MUST(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644));
		MUST(write(file, &k, 8));
		MUST(close(file));
		break;
	case 1:
		path = path_of("one", k);
		MUST(rename(path, path_of("two", k)));
		break;
	case 2:
		path = path_of("two", k);
		MUST(link(path, path_of("three", k)));
		break;
	case 3:
		MUST(unlink(path_of("two", k)));
		break;
	default:
		MUST(unlink(path_of("three", k)));
	}
}

static void see_names(uint64_t k, int step)
{
	static const char expected[NAME_STEPS][4] = {"100", "010", "011", "001", "000"};
	static const char *const names[] = {"one", "two", "three"};
	static int opened = -1;
	for (int i = 0; i < 3; i++)
		if (there(names[i], k) != (expected[step][i] == '1')) {
			printf("after step %d the name %s is wrong\n", step, names[i]);
			give_up("an old name", k);
		}
	if (step == 0)
		opened = MUST(open(path_of("one", k), O_RDONLY));
	uint64_t value = 0;
	if (pread(opened, &value, 8, 0) != 8 || value != k)
		give_up("the file can't be read", k);
	if (fstat_of(opened).st_nlink != (nlink_t)(step == 2 ? 2 : step == 4 ? 0 : 1))
		{
		printf("after step %d it has %lu links\n", step, (unsigned long)fstat_of(opened).st_nlink);
		give_up("a wrong number of links", k);
	}
	if (step == NAME_STEPS - 1)
		MUST(close(opened));
	stage->outcomes[0]++;
}

static void names(uint64_t rounds)
{
	uint64_t turn = 0;
	for (uint64_t k = 1; k <= rounds; k++)
		for (int step = 0; step < NAME_STEPS; step++, turn += 2) {
			await_turn(turn + (uint64_t)me);
			(me == 0 ? change_names : see_names)(k, step);
			atomic_fetch_add(&stage->turn, 1);
		}
}

/* ---- */

#define FOUR "old, old", "old, new", "new, old", "new, new"

static const struct test tests[] = {
	{"mp", 2, mp, judge_mp, NULL, {FOUR}, 1 << 2},
	{"mp-wait", 2, mp_wait, judge_mp, NULL, {FOUR}, 1 << 2},
	{"sb", 2, sb, judge_sb, NULL, {FOUR}, 1 << 0},
	{"sb-relaxed", 2, sb_relaxed, judge_sb, NULL, {FOUR}, 0},
	{"iriw", 4, iriw, judge_iriw, NULL, {"both late", "some new", "all new", "readers disagree"}, 1 << 3},
	{"coherence", 4, coherence, judge_coherence, NULL, {"one value", "first, second", "second, first", "contradiction"}, 1 << 3},
	{"counter-posix", 0, NULL, NULL, counter_posix, {"increments"}, 0},
	{"counter-ofd", 0, NULL, NULL, counter_ofd, {"increments"}, 0},
	{"counter-flock", 0, NULL, NULL, counter_flock, {"increments"}, 0},
	{"counter-atomic", 0, NULL, NULL, counter_atomic, {"increments"}, 0},
	{"seqlock", 0, NULL, NULL, seqlock, {"consistent", "repeated"}, 0},
	{"extend", 2, NULL, NULL, extend, {"seen"}, 0},
	{"extend-sync", 2, NULL, NULL, extend_sync, {"seen"}, 0},
	{"extend-map", 2, NULL, NULL, extend_map, {"seen"}, 0},
	{"names", 2, NULL, NULL, names, {"seen"}, 0},
};

static void play(const struct test *test, uint64_t rounds)
{
	if (test->whole) {
		pthread_barrier_wait(&stage->start);
		test->whole(rounds);
		return;
	}
	for (uint64_t k = 1; k <= rounds; k++) {
		/* What a process has seen before is what it could see again wrongly. */
		if (random_next(&random_state) % 4) {
			get(X, k);
			get(Y, k);
		}
		begin_round(k);
		test->round(k);
		pthread_barrier_wait(&stage->end);
		if (me == 0)
			stage->outcomes[test->judge(k)]++;
	}
}

static int report(const struct test *test)
{
	int failed = 0;
	printf("%s:", test->name);
	for (int i = 0; i < 8 && test->outcomes[i]; i++) {
		printf(" [%s] %lu", test->outcomes[i], stage->outcomes[i]);
		if (test->forbidden & (1u << i)) {
			printf(" (forbidden)");
			failed |= stage->outcomes[i] != 0;
		}
	}
	printf("\n");
	return failed;
}

int main(int argc, char **argv)
{
	static const char *const hows[] = {"map", "file", "mixed", "stale"};
	const struct test *test = NULL;
	int valid = 0;
	for (size_t i = 0; argc >= 6 && i < sizeof tests / sizeof *tests; i++)
		if (!strcmp(tests[i].name, argv[1]))
			test = &tests[i];
	for (int i = 0; argc >= 6 && i < HOWS; i++)
		if (!strcmp(hows[i], argv[2])) {
			how = (enum how)i;
			valid = 1;
		}
	if (!test || !valid) {
		fprintf(stderr, "usage: litmus TEST map|file|mixed|stale ROUNDS SEED DIR...\n");
		return 2;
	}
	check_case = test->name;
	uint64_t rounds = strtoull(argv[3], NULL, 10), seed = strtoull(argv[4], NULL, 10);
	int directories = argc - 5;
	processes = test->processes ? test->processes : directories < 2 ? 2 : directories > MAX_PROCESSES ? MAX_PROCESSES : directories;
	char name[64];
	snprintf(name, sizeof name, "litmus-%s-%s", argv[1], argv[2]);
	make_stage(argv[5], name);
	pid_t pids[MAX_PROCESSES];
	fflush(stdout);
	for (me = 0; me < processes; me++) {
		pids[me] = MUST(fork());
		if (pids[me] == 0) {
			random_state = (seed + 1) * 0x9E3779B97F4A7C15u + (uint64_t)me;
			choose_processor();
			open_file(argv[5 + me % directories], name);
			play(test, rounds);
			fflush(stdout);
			_exit(0);
		}
	}
	int failed = await_all(pids);
	return report(test) | failed;
}
