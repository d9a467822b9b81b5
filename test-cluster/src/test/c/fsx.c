/*
 * One file, random operations, a copy of it in memory: fsx SEED OPERATIONS FILE... After each reading operation, and at the end,
 * the bytes must be those of the copy. On a difference the last operations are printed. The idea is Apple's and Linux's fsx;
 * this one is written for a filesystem with 2 MiB tiles: lengths and offsets gather around tile and page borders.
 *
 * Several FILEs are one file seen through several mounts. A process for each takes its turn by chance; who had one syncs, looks at or reads
 * the file afterwards, while the next is at work already. What was done in a turn must be seen in the next.
 */
#include "check.h"
#include <linux/falloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define TILE (2L * 1024 * 1024)
#define LIMIT (3 * TILE + 12345)
#define HISTORY 40
#define MAX_PROCESSES 8
#define PATIENCE_S 60

/* Of whoever has the turn. */
static struct {
	char model[LIMIT];
	long size, step;
	uint64_t state;
	char history[HISTORY][120];
	_Atomic int turn, opened;
} *all;

static char buffer[LIMIT], *aligned;
static int fd, direct, me, processes;
static const char *file;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static long below(long n) { return n <= 0 ? 0 : (long)(next_random(&all->state) % (uint64_t)n); }

static void note(const char *what, long at, long length)
{
	snprintf(all->history[all->step % HISTORY], sizeof all->history[0],
		 "%ld, process %d: %s at %ld (%#lx), length %ld (%#lx), size %ld", all->step, me, what, at, at, length, length, all->size);
}

static void give_up(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("FAIL fsx: ");
	vprintf(format, args);
	printf("\nlast operations:\n");
	for (long i = all->step < HISTORY ? 0 : all->step - HISTORY + 1; i <= all->step; i++)
		printf("  %s\n", all->history[i % HISTORY]);
	fflush(stdout);
	_exit(1);
}

#define DO(call) \
	({ \
		long do_result = (long)(call); \
		if (do_result == -1) \
			give_up("%s: %s", #call, strerror(errno)); \
		do_result; \
	})

/* An offset: anywhere, or near a border of a page or tile. */
static long place(long limit)
{
	long at = below(limit);
	switch (below(4)) {
	case 0:
		at = at / TILE * TILE + below(9) - 4;
		break;
	case 1:
		at = at / 4096 * 4096 + below(9) - 4;
		break;
	case 2:
		at = below(20000);
		break;
	}
	return at < 0 ? 0 : at >= limit ? limit - 1 : at;
}

static long length_from(long at, long limit)
{
	long n = below(6) == 0 ? below(TILE + 5000) : below(6) == 0 ? 4096 * (1 + below(8)) : 1 + below(20000);
	return at + n > limit ? limit - at : n < 1 ? 1 : n;
}

static void compare(const char *what, const char *got, long at, long n)
{
	if (!memcmp(got, all->model + at, n))
		return;
	long first = 0, last = n - 1, wrong = 0;
	while (got[first] == all->model[at + first])
		first++;
	while (got[last] == all->model[at + last])
		last--;
	for (long i = first; i <= last; i++)
		wrong += got[i] != all->model[at + i];
	give_up("%s: %ld wrong bytes between %ld (%#lx) and %ld (%#lx); first is %#x, expected %#x", what, wrong, at + first,
		at + first, at + last, at + last, (unsigned char)got[first], (unsigned char)all->model[at + first]);
}

static void check_size(void)
{
	struct stat st;
	DO(fstat(fd, &st));
	if (st.st_size != all->size)
		give_up("fstat says %ld bytes, expected %ld", (long)st.st_size, all->size);
}

static void fill(long n)
{
	char c = (char)(1 + all->step % 250);
	for (long i = 0; i < n; i++)
		buffer[i] = (char)(c + (i >> 9));
}

static void grow_to(long end)
{
	if (end > all->size)
		all->size = end;
}

static void do_read(void)
{
	long at = place(all->size + 1000 > LIMIT ? LIMIT : all->size + 1000), n = length_from(at, LIMIT);
	if (direct) {
		at = at / 4096 * 4096;
		n = (n + 4095) / 4096 * 4096;
	}
	note(direct ? "direct read" : "read", at, n);
	long expected = at >= all->size ? 0 : at + n > all->size ? all->size - at : n, got = DO(pread(fd, aligned, n, at));
	if (got != expected)
		give_up("read gave %ld bytes, expected %ld", got, expected);
	if (got)
		compare("read", aligned, at, got);
}

static void do_write(void)
{
	long at = place(LIMIT), n = length_from(at, LIMIT);
	if (direct) {
		at = at / 4096 * 4096;
		n = n / 4096 * 4096;
		if (n == 0)
			return;
	}
	note(direct ? "direct write" : "write", at, n);
	fill(n);
	memcpy(aligned, buffer, n);
	long got = DO(pwrite(fd, aligned, n, at));
	if (got != n)
		give_up("write took %ld of %ld bytes", got, n);
	memcpy(all->model + at, buffer, n);
	grow_to(at + n);
}

static void do_map(int writing)
{
	if (all->size == 0)
		return;
	long at = place(all->size), n = length_from(at, all->size), skip = at % 4096;
	note(writing ? "mapped write" : "mapped read", at, n);
	char *map = mmap(NULL, n + skip, PROT_READ | (writing ? PROT_WRITE : 0), MAP_SHARED, fd, at - skip);
	if (map == MAP_FAILED)
		give_up("mmap: %s", strerror(errno));
	if (writing) {
		fill(n);
		memcpy(map + skip, buffer, n);
		memcpy(all->model + at, buffer, n);
		if (below(2))
			DO(msync(map, n + skip, MS_SYNC));
	} else {
		compare("mapping", map + skip, at, n);
		long end = at + n, rest = (4096 - end % 4096) % 4096;
		for (long i = 0; end == all->size && i < rest; i++)
			if (map[skip + n + i])
				give_up("byte %ld after the end of the file is %#x in the mapping", i, map[skip + n + i]);
	}
	DO(munmap(map, n + skip));
}

static void do_truncate(void)
{
	long to = below(8) == 0 ? 0 : place(LIMIT);
	note("truncate", to, 0);
	DO(below(2) ? ftruncate(fd, to) : truncate(file, to));
	if (to < all->size)
		memset(all->model + to, 0, all->size - to);
	all->size = to;
}

static void do_allocate(void)
{
	static const struct {
		int mode;
		const char *name;
	} kinds[] = {{0, "fallocate"},
		     {FALLOC_FL_KEEP_SIZE, "fallocate keep size"},
		     {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch hole"},
		     {FALLOC_FL_ZERO_RANGE, "zero range"},
		     {FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zero range keep size"}};
	int kind = (int)below(5), mode = kinds[kind].mode;
	long at = place(LIMIT), n = length_from(at, LIMIT), end = at + n;
	note(kinds[kind].name, at, n);
	DO(fallocate(fd, mode, at, n));
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(all->model + at, 0, n);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		grow_to(end);
}

static void do_copy(void)
{
	if (all->size == 0 || direct) /* Linux copies between O_DIRECT files by aligned reads, where it must */
		return;
	long from = place(all->size), n = length_from(from, all->size), to = place(LIMIT);
	if (to + n > LIMIT)
		n = LIMIT - to;
	if (to < from + n && from < to + n)
		return;
	note("copy range from", from, n);
	off_t a = from, b = to;
	while (a < from + n) {
		long got = DO(copy_file_range(fd, &a, fd, &b, from + n - a, 0));
		if (got == 0)
			give_up("copy_file_range to %ld stopped", to);
	}
	memcpy(all->model + to, all->model + from, n);
	grow_to(to + n);
}

static void reopen(int past_the_cache)
{
	DO(close(fd));
	direct = past_the_cache;
	note(direct ? "open direct" : "open", 0, 0);
	fd = (int)DO(open(file, O_RDWR | (direct ? O_DIRECT : 0)));
}

static void do_seek(void)
{
	if (all->size == 0)
		return;
	long at = place(all->size);
	note("seek data", at, 0);
	long data = lseek(fd, at, SEEK_DATA), end = data == -1 ? all->size : data;
	if (data == -1 && errno != ENXIO)
		give_up("SEEK_DATA: %s", strerror(errno));
	for (long i = at; i < end; i++)
		if (all->model[i])
			give_up("SEEK_DATA from %ld says %ld, but byte %ld is written", at, data, i);
	long hole = DO(lseek(fd, at, SEEK_HOLE));
	if (hole < at || hole > all->size)
		give_up("SEEK_HOLE from %ld says %ld, size %ld", at, hole, all->size);
}

static void operate(void)
{
	note("nothing", 0, 0);
	check_size();
	switch (below(16)) {
	case 0: case 1: case 2:
		do_read();
		break;
	case 3: case 4: case 5: case 6:
		do_write();
		break;
	case 7:
		do_map(0);
		break;
	case 8: case 9:
		do_map(1);
		break;
	case 10:
		do_truncate();
		break;
	case 11:
		do_allocate();
		break;
	case 12:
		do_copy();
		break;
	case 13:
		reopen(below(5) == 0);
		break;
	case 14:
		do_seek();
		break;
	default:
		note("sync and drop", 0, 0);
		DO(below(2) ? fsync(fd) : fdatasync(fd));
		DO(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	}
	check_size();
}

/* While another process works: what it sees does not matter. */
static void think_it_over(uint64_t *mine)
{
	struct stat st;
	switch (next_random(mine) % 5) {
	case 0:
		DO(fsync(fd));
		break;
	case 1:
		DO(fstat(fd, &st));
		break;
	case 2:
		DO(pread(fd, aligned, 4096 * (1 + next_random(mine) % 16), (off_t)(next_random(mine) % (LIMIT / 4096) * 4096)));
		break;
	case 3:
		DO(close(DO(open(file, O_RDWR))));
		break;
	}
}

static void check_all(void)
{
	reopen(0);
	note("final read", 0, all->size);
	DO(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	if (DO(pread(fd, aligned, LIMIT, 0)) != all->size)
		give_up("the last read is short");
	compare("last read", aligned, 0, all->size);
}

/* Until it is this process's turn. */
static void await_turn(void)
{
	time_t since = time(NULL);
	while (all->turn != me) {
		if (time(NULL) - since > PATIENCE_S)
			give_up("process %d does nothing", all->turn);
		sched_yield();
	}
}

static void play(long operations)
{
	uint64_t mine = all->state + (uint64_t)me;
	fd = (int)DO(open(file, O_RDWR));
	all->opened++;
	while (processes > 1 && all->opened < processes)
		sched_yield();
	while (1) {
		await_turn();
		if (all->step >= operations) {
			check_all();
			all->turn = (me + 1) % processes; /* all the others read it too */
			break;
		}
		operate();
		if (++all->step < operations && processes > 1)
			all->turn = (int)below(processes);
		if (processes > 1)
			think_it_over(&mine);
	}
	DO(close(fd));
}

int main(int argc, char **argv)
{
	processes = argc - 3;
	if (processes < 1 || processes > MAX_PROCESSES) {
		fprintf(stderr, "usage: fsx SEED OPERATIONS FILE...\n");
		return 2;
	}
	long operations = atol(argv[2]);
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED || posix_memalign((void **)&aligned, 4096, LIMIT + 8192))
		return 2;
	all->state = 0x9e3779b97f4a7c15ULL * (strtoull(argv[1], NULL, 10) + 1);
	fd = (int)DO(open(argv[3], O_CREAT | O_TRUNC | O_RDWR, 0644));
	DO(close(fd));
	pid_t pids[MAX_PROCESSES];
	for (me = 0; me < processes; me++) {
		file = argv[3 + me];
		pids[me] = (pid_t)DO(fork());
		if (pids[me] == 0) {
			play(operations);
			_exit(0);
		}
	}
	int status;
	for (int left = processes; left > 0; left--) {
		DO(wait(&status));
		if (status != 0) {
			if (WIFSIGNALED(status))
				give_up("a process died of signal %d", WTERMSIG(status));
			for (int i = 0; i < processes; i++)
				kill(pids[i], SIGKILL);
			return 1;
		}
	}
	printf("ok fsx seed %s, %ld operations\n", argv[1], operations);
	return 0;
}
