/*
 * One worker of the crash test. It changes files until the daemon under the mount dies, and keeps, in a file outside the
 * mount, what it knows must be there; after the restart the same program checks that.
 *
 *   crashload KIND run DIR STATE SEED       until an error of a dead mount, or SIGTERM: status 3; any other error: status 1
 *   crashload KIND verify DIR STATE SEED    status 0 if all that was promised is there; resolves what was in flight
 *
 * The daemon dies, the kernel lives. Then: what an answered metadata operation did is there; what was in a file when close or
 * fsync returned is there; a block that was being overwritten may be old, new or a mixture, never anything else.
 *
 * With "far" behind the rest, DIR's volume may be owned by another host: then close alone keeps no promise, but close and rename do.
 */
#include "check.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <dirent.h>

#define STOPPED 3

#define BLOCK 4096
#define WORDS (BLOCK / 8)
#define BLOCKS 1400 /* 5.5 MiB: three tiles */
#define TARGETS 16
#define SLOTS 300
#define APPEND_LIMIT (5L << 20)

enum slot_kind { ABSENT, PLAIN, DIRECTORY, SYMLINK };

struct slot {
	uint32_t kind, generation, mode, xattr, unsaved; /* unsaved: only closed */
};

struct state {
	uint64_t random;
	/* blocks */
	uint32_t version, acked[BLOCKS], latest[BLOCKS], zeroed[BLOCKS], busy_from, busy_count;
	/* replace */
	uint32_t generation, current[TARGETS], busy_target, busy_generation;
	/* churn: two slots at most change at once */
	struct slot slots[SLOTS], busy_new[2];
	uint32_t busy_slots, busy_slot[2];
	/* append */
	uint64_t append_generation, append_acked, append_written, append_busy;
	uint64_t operations;
};

static struct state *s;
static volatile sig_atomic_t stop_asked;
static int far;
static char buffer[1 << 20];
static uint64_t words[WORDS];

static uint64_t next_random(void)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint32_t below(uint32_t n) { return (uint32_t)(next_random() % n); }

/* A dead mount ends the worker; anything else is a failure. When asked to stop, it leaves the last answer unnoted, as if it had not come. */
static long long done(long long result, const char *call)
{
	if (stop_asked)
		_exit(STOPPED);
	if (result != -1) {
		s->operations++;
		return result;
	}
	if (errno == ENOTCONN || errno == ECONNABORTED || errno == EIO || errno == EINTR || errno == ENODEV)
		_exit(STOPPED);
	printf("FAIL %s: %s: %s\n", check_case, call, strerror(errno));
	fflush(stdout);
	_exit(1);
}
#define DO(call) done((call), #call)

static void on_stop(int signal)
{
	(void)signal;
	stop_asked = 1;
}

static void on_bus(int signal)
{
	(void)signal;
	_exit(STOPPED);
}

/* After a failed call in a check: whether that is because there is nothing of that name. Anything else says nothing of what is there. */
static int is_gone(const char *name)
{
	if (errno == ENOENT)
		return 1;
	check_fail(__FILE__, __LINE__, "cannot look at %s: %s", name, strerror(errno));
	return 0;
}

/* ---- blocks: overwrites, holes and mapped stores in one file, fsync now and then ---- */

static uint64_t word_of(uint32_t version, uint32_t block, uint32_t i)
{
	return version % 16 == 0 ? 0 : ((uint64_t)version << 32) | (block * WORDS + i + 1);
}

static void fill_block(void *at, uint32_t version, uint32_t block)
{
	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = word_of(version, block, i);
	memcpy(at, words, BLOCK);
}

static void change_blocks(int fd, uint32_t from, uint32_t count, int mapped)
{
	uint32_t version = ++s->version;
	s->busy_from = from;
	s->busy_count = count;
	if (version % 16 == 0) {
		DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from * BLOCK, (off_t)count * BLOCK));
	} else if (mapped) {
		struct stat st;
		DO(fstat(fd, &st));
		if (st.st_size < (off_t)(from + count) * BLOCK)
			DO(ftruncate(fd, (off_t)(from + count) * BLOCK));
		char *map = mmap(NULL, (size_t)count * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)from * BLOCK);
		DO(map == MAP_FAILED ? -1 : 0);
		for (uint32_t i = 0; i < count; i++)
			fill_block(map + (size_t)i * BLOCK, version, from + i);
		DO(msync(map, (size_t)count * BLOCK, MS_SYNC));
		munmap(map, (size_t)count * BLOCK);
	} else {
		for (uint32_t i = 0; i < count; i++)
			fill_block(buffer + (size_t)i * BLOCK, version, from + i);
		for (size_t at = 0, n = (size_t)count * BLOCK; at < n; )
			at += DO(pwrite(fd, buffer + at, n - at, (off_t)from * BLOCK + at));
	}
	for (uint32_t b = from; b < from + count; b++) {
		s->latest[b] = version;
		if (version % 16 == 0)
			s->zeroed[b] = version;
	}
	s->busy_count = 0;
}

static void acknowledge_blocks(void)
{
	memcpy(s->acked, s->latest, sizeof s->acked);
}

static void run_blocks(void)
{
	signal(SIGBUS, on_bus);
	int fd = DO(open("blocks", O_CREAT | O_RDWR, 0644)), mapping = below(2);
	/* what was torn in the last crash gets a new content first */
	for (uint32_t b = 0; b < BLOCKS; b++)
		if (s->latest[b] == UINT32_MAX) {
			if (s->version % 16 == 15)
				s->version++;
			change_blocks(fd, b, 1, 0);
		}
	DO(fsync(fd));
	acknowledge_blocks();
	for (;;) {
		uint32_t count = below(8) == 0 ? 1 + below(200) : 1 + below(8);
		change_blocks(fd, below(BLOCKS - count), count, mapping && below(2));
		if (below(6) == 0) {
			DO(below(2) ? fsync(fd) : fdatasync(fd));
			acknowledge_blocks();
		}
		if (below(100) == 0) {
			DO(close(fd));
			if (!far)
				acknowledge_blocks();
			fd = DO(open("blocks", O_RDWR));
		}
	}
}

static void verify_block(uint32_t b)
{
	int busy = s->busy_count && b >= s->busy_from && b < s->busy_from + s->busy_count;
	int torn = s->acked[b] == UINT32_MAX; /* found so before, and perhaps not written since */
	uint32_t oldest = torn ? 0 : s->acked[b], newest = busy || torn ? s->version : s->latest[b], first = 0, mixed = 0;
	for (uint32_t i = 0; i < WORDS; i++) {
		uint32_t version = (uint32_t)(words[i] >> 32);
		if (words[i] == 0) {
			int may = torn || s->acked[b] % 16 == 0 || s->zeroed[b] > s->acked[b] || (busy && s->version % 16 == 0);
			if (!may) {
				check_fail(__FILE__, __LINE__, "block %u word %u is zero; acknowledged %u, latest %u", b, i, s->acked[b], newest);
				return;
			}
			version = 0;
		} else if (words[i] != word_of(version, b, i)) {
			check_fail(__FILE__, __LINE__, "block %u word %u is %#lx, which was never written there", b, i, words[i]);
			return;
		} else if (version < oldest || version > newest) {
			check_fail(__FILE__, __LINE__, "block %u word %u has version %u; acknowledged %u, latest %u%s", b, i, version,
				   s->acked[b], newest, busy ? ", in flight" : "");
			return;
		}
		if (i == 0)
			first = version;
		else if (version != first)
			mixed = 1;
	}
	if (mixed && !busy && !torn)
		check_fail(__FILE__, __LINE__, "block %u is a mixture, although no write to it was in flight", b);
	s->acked[b] = s->latest[b] = mixed ? UINT32_MAX : first;
	if (mixed)
		s->zeroed[b] = 0;
	else if (first == 0)
		s->zeroed[b] = 0;
}

static void verify_blocks(void)
{
	int fd = open("blocks", O_RDONLY);
	if (fd < 0) {
		if (!is_gone("blocks"))
			return;
		for (uint32_t b = 0; b < BLOCKS && !check_failures; b++)
			if (s->acked[b])
				check_fail(__FILE__, __LINE__, "the file is gone, and block %u was acknowledged", b);
		return;
	}
	for (uint32_t b = 0; b < BLOCKS && check_failures < 5; b++) {
		memset(words, 0, sizeof words);
		OK(pread(fd, words, BLOCK, (off_t)b * BLOCK));
		verify_block(b);
	}
	s->busy_count = 0;
	close(fd);
}

/* ---- replace: a new file is written and renamed over the old one ---- */

static uint64_t pattern(uint64_t generation, uint64_t i) { return generation * 0x9e3779b97f4a7c15ULL + i * 0x2545f4914f6cdd1dULL; }

static size_t size_of(uint32_t generation)
{
	uint32_t mixed = generation * 2654435761u;
	return generation % 5 == 0 ? 8 * (mixed % 90000) + 8 : 8 * (mixed % 400) + 8;
}

static void run_replace(void)
{
	char name[32];
	if (unlink("temporary") && errno != ENOENT)
		DO(-1);
	for (;;) {
		uint32_t target = below(TARGETS), generation = ++s->generation;
		size_t size = size_of(generation);
		uint64_t *w = (uint64_t *)buffer;
		for (size_t i = 0; i < size / 8; i++)
			w[i] = pattern(generation, i);
		int fd = DO(open("temporary", O_CREAT | O_EXCL | O_WRONLY, 0644));
		for (size_t at = 0; at < size; )
			at += DO(write(fd, buffer + at, size - at));
		if (below(3) == 0)
			DO(fsync(fd));
		DO(close(fd));
		snprintf(name, sizeof name, "target-%u", target);
		s->busy_generation = generation;
		s->busy_target = target + 1;
		DO(rename("temporary", name));
		s->current[target] = generation;
		s->busy_target = 0;
	}
}

/* The generation whose content the file has, 0 if it is not there. */
static uint32_t generation_in(const char *name, uint32_t one, uint32_t other)
{
	int fd = open(name, O_RDONLY);
	if (fd < 0) {
		is_gone(name);
		return 0;
	}
	ssize_t n = OK(read(fd, buffer, sizeof buffer));
	close(fd);
	uint32_t candidates[2] = {one, other};
	for (int c = 0; c < 2; c++) {
		uint32_t g = candidates[c];
		if (!g || n != (ssize_t)size_of(g))
			continue;
		size_t i = 0;
		while (i < (size_t)n / 8 && ((uint64_t *)buffer)[i] == pattern(g, i))
			i++;
		if (i == (size_t)n / 8)
			return g;
		check_fail(__FILE__, __LINE__, "%s: word %zu of %zu is %#lx, wrong for generation %u", name, i, (size_t)n / 8,
			   ((uint64_t *)buffer)[i], g);
		return g;
	}
	check_fail(__FILE__, __LINE__, "%s has %zd bytes: neither generation %u (%zu bytes) nor %u (%zu)", name, n, one,
		   one ? size_of(one) : 0, other, other ? size_of(other) : 0);
	return one;
}

static void verify_replace(void)
{
	char name[32];
	for (uint32_t t = 0; t < TARGETS; t++) {
		int busy = s->busy_target == t + 1;
		snprintf(name, sizeof name, "target-%u", t);
		uint32_t found = generation_in(name, s->current[t], busy ? s->busy_generation : 0);
		if (found != s->current[t] && !(busy && found == s->busy_generation))
			check_fail(__FILE__, __LINE__, "%s has generation %u, expected %u", name, found, s->current[t]);
		s->current[t] = found;
	}
	s->busy_target = 0;
}

/* ---- churn: names of all kinds come, go and move ---- */

static const char *slot_name(uint32_t slot, int which)
{
	static char names[2][32];
	snprintf(names[which], sizeof names[which], "%s/n%u", slot % 2 ? "odd" : "even", slot);
	return names[which];
}

static void begin_slots(uint32_t count, uint32_t a, struct slot new_a, uint32_t b, struct slot new_b)
{
	s->busy_slot[0] = a, s->busy_new[0] = new_a;
	s->busy_slot[1] = b, s->busy_new[1] = new_b;
	__atomic_store_n(&s->busy_slots, count, __ATOMIC_SEQ_CST);
}

static void end_slots(void)
{
	for (uint32_t i = 0; i < s->busy_slots; i++)
		s->slots[s->busy_slot[i]] = s->busy_new[i];
	s->busy_slots = 0;
}

static size_t plain_size(uint32_t generation) { return generation * 2654435761u % 6000; }

static void make_slot(uint32_t slot)
{
	static const struct slot none;
	struct slot made = {1 + below(3), ++s->generation, 0600 + below(0100), 0, 0};
	const char *name = slot_name(slot, 0);
	char target[64];
	if (made.kind == DIRECTORY)
		made.mode |= 0700;
	if (made.kind == SYMLINK)
		made.mode = 0777;
	if (made.kind == PLAIN)
		made.unsaved = far && below(2);
	begin_slots(1, slot, made, slot, none);
	if (made.kind == PLAIN) {
		size_t size = plain_size(made.generation);
		memset(buffer, (int)(made.generation % 255 + 1), size);
		int fd = DO(open(name, O_CREAT | O_EXCL | O_WRONLY, made.mode));
		for (size_t at = 0; at < size; )
			at += DO(write(fd, buffer + at, size - at));
		if (far && !made.unsaved)
			DO(fsync(fd));
		DO(close(fd));
	} else if (made.kind == DIRECTORY) {
		DO(mkdir(name, made.mode));
	} else {
		snprintf(target, sizeof target, "to-%u", made.generation);
		DO(symlink(target, name));
	}
	end_slots();
}

static void remove_slot(uint32_t slot)
{
	static const struct slot none;
	begin_slots(1, slot, none, slot, none);
	DO(s->slots[slot].kind == DIRECTORY ? rmdir(slot_name(slot, 0)) : unlink(slot_name(slot, 0)));
	end_slots();
}

static void move_slot(uint32_t from, uint32_t to)
{
	static const struct slot none;
	struct slot a = s->slots[from], b = s->slots[to];
	a.unsaved = b.unsaved = 0;
	if (b.kind != ABSENT && below(2)) {
		begin_slots(2, from, b, to, a);
		DO(renameat2(AT_FDCWD, slot_name(from, 0), AT_FDCWD, slot_name(to, 1), RENAME_EXCHANGE));
	} else if (b.kind == ABSENT || (a.kind == DIRECTORY) == (b.kind == DIRECTORY)) {
		begin_slots(2, from, none, to, a);
		DO(rename(slot_name(from, 0), slot_name(to, 1)));
	} else {
		return;
	}
	end_slots();
}

static void alter_slot(uint32_t slot)
{
	static const struct slot none;
	struct slot now = s->slots[slot];
	if (now.kind == SYMLINK)
		return;
	if (below(2)) {
		now.mode = 0700 + below(0100);
		begin_slots(1, slot, now, slot, none);
		DO(chmod(slot_name(slot, 0), now.mode));
	} else {
		now.xattr = ++s->generation;
		begin_slots(1, slot, now, slot, none);
		DO(setxattr(slot_name(slot, 0), "user.generation", &now.xattr, sizeof now.xattr, 0));
	}
	end_slots();
}

static void run_churn(void)
{
	umask(0);
	for (int i = 0; i < 2; i++)
		if (mkdir(i ? "odd" : "even", 0755) && errno != EEXIST)
			DO(-1);
	for (;;) {
		uint32_t slot = below(SLOTS), other = below(SLOTS);
		if (s->slots[slot].kind == ABSENT)
			make_slot(slot);
		else if (below(3) == 0)
			remove_slot(slot);
		else if (below(2))
			alter_slot(slot);
		else if (other != slot)
			move_slot(slot, other);
	}
}

/* What is at a slot. A file that was being written when the daemon died may still be empty: generation 0. */
static struct slot look_at(uint32_t slot, struct slot expected)
{
	struct slot found = {0};
	struct stat st;
	const char *name = slot_name(slot, 0);
	if (lstat(name, &st)) {
		is_gone(name);
		return found;
	}
	found.mode = st.st_mode & 07777;
	if (S_ISDIR(st.st_mode)) {
		found.kind = DIRECTORY;
		found.generation = expected.generation;
	} else if (S_ISLNK(st.st_mode)) {
		char target[64] = {0};
		found.kind = SYMLINK;
		OK(readlink(name, target, sizeof target - 1));
		found.generation = (uint32_t)strtoul(target + 3, NULL, 10);
		return found;
	} else {
		int fd = OK(open(name, O_RDONLY));
		ssize_t n = OK(read(fd, buffer, sizeof buffer)), i = 0;
		close(fd);
		found.kind = PLAIN;
		while (i < n && (unsigned char)buffer[i] == expected.generation % 255 + 1)
			i++;
		if (i == n && n == (ssize_t)plain_size(expected.generation))
			found.generation = expected.generation;
		else if (i < n)
			found.generation = UINT32_MAX;
	}
	if (getxattr(name, "user.generation", &found.xattr, sizeof found.xattr) == -1)
		CHECK(errno == ENODATA);
	return found;
}

static int same(struct slot found, struct slot expected)
{
	if (found.kind == PLAIN && expected.unsaved && found.generation == 0)
		found.generation = expected.generation; /* its bytes are lost */
	return found.kind == expected.kind && (found.kind == ABSENT || (found.generation == expected.generation && found.mode == expected.mode && found.xattr == expected.xattr));
}

static void complain(uint32_t slot, struct slot expected, const char *when)
{
	struct slot found = look_at(slot, expected);
	check_fail(__FILE__, __LINE__, "%s %s: kind %u generation %u mode %o xattr %u, expected kind %u generation %u mode %o xattr %u",
		   slot_name(slot, 0), when, found.kind, found.generation, found.mode, found.xattr, expected.kind, expected.generation,
		   expected.mode, expected.xattr);
}

static int all_are(const struct slot *wanted)
{
	for (uint32_t i = 0; i < s->busy_slots; i++)
		if (!same(look_at(s->busy_slot[i], wanted[i]), wanted[i]))
			return 0;
	return 1;
}

/* The operation in flight happened or did not; never half. */
static void resolve_churn(void)
{
	struct slot old[2];
	for (uint32_t i = 0; i < s->busy_slots; i++)
		old[i] = s->slots[s->busy_slot[i]];
	if (all_are(old)) {
		s->busy_slots = 0;
		return;
	}
	if (all_are(s->busy_new)) {
		end_slots();
		return;
	}
	uint32_t slot = s->busy_slot[0];
	struct slot found = look_at(slot, s->busy_new[0]);
	if (s->busy_slots == 1 && old[0].kind == ABSENT && found.kind == PLAIN && found.generation == 0) {
		OK(unlink(slot_name(slot, 0))); /* created, not yet written */
		s->busy_slots = 0;
		return;
	}
	for (uint32_t i = 0; i < s->busy_slots; i++)
		complain(s->busy_slot[i], s->busy_new[i], "(in flight)");
	s->busy_slots = 0;
}

static void verify_churn(void)
{
	uint32_t there = 0, listed = 0;
	resolve_churn();
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot found = look_at(i, s->slots[i]);
		if (!same(found, s->slots[i])) {
			complain(i, s->slots[i], "");
		} else if (s->slots[i].unsaved) {
			s->slots[i].generation = found.generation; /* what another host has seen stays */
			s->slots[i].unsaved = 0;
		}
		there += s->slots[i].kind != ABSENT;
	}
	for (int i = 0; i < 2; i++) {
		DIR *d = opendir(i ? "odd" : "even");
		struct dirent *e;
		while (d && (e = readdir(d)))
			listed += e->d_name[0] != '.';
		if (d)
			closedir(d);
		else
			is_gone(i ? "odd" : "even");
	}
	EQUALS(there, listed);
}

/* ---- append: a log that grows by records ---- */

static unsigned char log_byte(uint64_t generation, uint64_t at) { return (unsigned char)((generation * 31 + at * 131 + (at >> 8) * 7) % 251 + 1); }

static void run_append(void)
{
	int fd = DO(open("log", O_CREAT | O_APPEND | O_RDWR, 0644));
	for (;;) {
		uint64_t n = 1 + below(below(10) == 0 ? 200000 : 3000);
		if (s->append_written > APPEND_LIMIT) {
			s->append_busy = UINT64_MAX; /* the file is being replaced by an empty one */
			DO(close(fd));
			if (unlink("log") && errno != ENOENT)
				DO(-1);
			s->append_generation++;
			s->append_acked = s->append_written = 0;
			fd = DO(open("log", O_CREAT | O_EXCL | O_APPEND | O_RDWR, 0644));
		}
		for (uint64_t i = 0; i < n; i++)
			buffer[i] = (char)log_byte(s->append_generation, s->append_written + i);
		s->append_busy = n;
		for (uint64_t at = 0; at < n; )
			at += DO(write(fd, buffer + at, n - at));
		s->append_written += n;
		s->append_busy = 0;
		if (below(5) == 0) {
			DO(fdatasync(fd));
			s->append_acked = s->append_written;
		}
	}
}

static void verify_append(void)
{
	int fd = open("log", O_RDWR);
	if (fd < 0) {
		if (!is_gone("log"))
			return;
		CHECK(s->append_acked == 0 || s->append_busy == UINT64_MAX);
		s->append_acked = s->append_written = s->append_busy = 0;
		return;
	}
	if (s->append_busy == UINT64_MAX) {
		OK(ftruncate(fd, 0));
		s->append_acked = s->append_written = 0;
		s->append_generation++;
	} else {
		uint64_t size = fstat_of(fd).st_size, most = s->append_written + s->append_busy;
		if (size < s->append_acked || size > most)
			check_fail(__FILE__, __LINE__, "the log has %lu bytes; acknowledged %lu, written %lu", size, s->append_acked, most);
		for (uint64_t at = 0; at < size && !check_failures; ) {
			ssize_t n = OK(pread(fd, buffer, sizeof buffer, at));
			for (ssize_t i = 0; i < n; i++)
				if ((unsigned char)buffer[i] != log_byte(s->append_generation, at + i)) {
					check_fail(__FILE__, __LINE__, "byte %lu of the log is %d, expected %d (size %lu, acknowledged %lu, written %lu)",
						   at + i, (unsigned char)buffer[i], log_byte(s->append_generation, at + i), size,
						   s->append_acked, most);
					break;
				}
			at += n > 0 ? n : 1;
		}
		s->append_acked = s->append_written = size;
	}
	s->append_busy = 0;
	close(fd);
}

static const struct {
	const char *name;
	void (*run)(void), (*verify)(void);
} kinds[] = {{"blocks", run_blocks, verify_blocks},
	     {"replace", run_replace, verify_replace},
	     {"churn", run_churn, verify_churn},
	     {"append", run_append, verify_append}};

int main(int argc, char **argv)
{
	far = argc == 7 && !strcmp(argv[6], "far");
	if (argc != 6 && !far) {
		fprintf(stderr, "usage: crashload KIND run|verify DIR STATE SEED [far]\n");
		return 2;
	}
	check_case = argv[1];
	int fd = MUST(open(argv[4], O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, sizeof *s));
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		return 2;
	s->random = 0x9e3779b97f4a7c15ULL * (strtoull(argv[5], NULL, 10) * 2 + 1);
	int verify = !strcmp(argv[2], "verify");
	if (!verify)
		signal(SIGTERM, on_stop);
	if (!verify && mkdir(argv[3], 0755) && errno != EEXIST)
		DO(-1);
	if (chdir(argv[3])) {
		if (!verify)
			DO(-1);
		if (is_gone(argv[3]) && s->operations == 0)
			return 0;
		printf("FAIL %s: cannot go to %s after %lu operations\n", argv[1], argv[3], s->operations);
		return 1;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, argv[1]))
			continue;
		if (!verify) {
			kinds[i].run();
		} else {
			kinds[i].verify();
			printf("%s: %lu operations so far, %d failures\n", argv[1], s->operations, check_failures);
			return check_failures != 0;
		}
	}
	return 2;
}
