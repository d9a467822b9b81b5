/*
 * How test programs record what they did: histories of register operations (HistoryLayout.java) and journals of appended
 * records (AppendLayout.java). The files are mapped, so that a record survives SIGKILL of the program at any moment; they lie
 * outside of the file system under test. All times are CLOCK_MONOTONIC, one clock for all network namespaces of a host.
 */
#ifndef TESSERA_HISTORY_H
#define TESSERA_HISTORY_H

#include "check.h"
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* xorshift; the seed may be anything. */
static inline uint64_t random_next(uint64_t *state)
{
	if (*state == 0)
		*state = 0x9E3779B97F4A7C15u;
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void *map_new_file(const char *path, size_t bytes)
{
	int fd = MUST(open(path, O_CREAT | O_TRUNC | O_RDWR, 0644));
	MUST(ftruncate(fd, (off_t)bytes));
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(map == MAP_FAILED ? -1 : 0);
	MUST(close(fd));
	return map;
}

/* ---- register histories ---- */

enum { HISTORY_READ = 1, HISTORY_WRITE = 2, HISTORY_DONE = 1 };

struct history_header {
	char magic[8];
	uint32_t process;
	uint8_t zero[52];
};

struct history_record {
	_Atomic uint32_t kind;
	_Atomic uint32_t state;
	uint64_t reg, value, begin, end;
};

_Static_assert(sizeof(struct history_header) == 64, "HistoryLayout.HEADER_BYTES");
_Static_assert(sizeof(struct history_record) == 40, "HistoryLayout.RECORD_BYTES");

struct history {
	struct history_record *records;
	long used, capacity;
};

__attribute__((unused)) static struct history history_create(const char *path, uint32_t process, long capacity)
{
	char *map = map_new_file(path, sizeof(struct history_header) + (size_t)capacity * sizeof(struct history_record));
	struct history_header *header = (struct history_header *)map;
	header->process = process;
	memcpy(header->magic, "TSRHIST1", 8);
	return (struct history){(struct history_record *)(map + sizeof *header), 0, capacity};
}

/* To be called before the operation. */
__attribute__((unused)) static struct history_record *history_begin(struct history *h, uint32_t kind, uint64_t reg, uint64_t value)
{
	struct history_record *r = &h->records[h->used++];
	r->reg = reg;
	r->value = value;
	atomic_store(&r->kind, kind);
	r->begin = now_ns();
	atomic_thread_fence(memory_order_seq_cst);
	return r;
}

/* To be called when the operation was answered. */
__attribute__((unused)) static void history_end(struct history_record *r, uint64_t value)
{
	atomic_thread_fence(memory_order_seq_cst);
	r->end = now_ns();
	r->value = value;
	atomic_store(&r->state, HISTORY_DONE);
}

/* ---- appended records ---- */

#define APPEND_MAX_WORDS 200

enum { APPEND_NOT = 0, APPEND_UNKNOWN = 1, APPEND_CONFIRMED = 2 };

struct append_record {
	char magic[8];
	uint32_t writer, length;
	uint64_t number, words[APPEND_MAX_WORDS];
};

struct append_journal {
	char magic[8];
	uint32_t writer;
	uint8_t zero[52];
	_Atomic uint8_t states[];
};

_Static_assert(offsetof(struct append_record, words) == 24, "AppendLayout.HEADER_BYTES");
_Static_assert(offsetof(struct append_journal, states) == 64, "AppendLayout.JOURNAL_HEADER_BYTES");

__attribute__((unused)) static uint64_t append_mix(uint64_t writer, uint64_t number, uint64_t word)
{
	uint64_t z = writer * 0x9E3779B97F4A7C15u + number * 0xBF58476D1CE4E5B9u + word * 0x94D049BB133111EBu;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	return z ^ (z >> 27);
}

__attribute__((unused)) static void append_record(struct append_record *r, uint32_t writer, uint64_t number)
{
	uint64_t words = append_mix(writer, number, UINT64_MAX) % APPEND_MAX_WORDS;
	memcpy(r->magic, "TSRAPPND", 8);
	r->writer = writer;
	r->length = (uint32_t)(24 + 8 * words);
	r->number = number;
	for (uint64_t i = 0; i < words; i++)
		r->words[i] = append_mix(writer, number, i);
}

__attribute__((unused)) static struct append_journal *append_journal(const char *path, uint32_t writer, long records)
{
	struct append_journal *j = map_new_file(path, sizeof *j + (size_t)records);
	j->writer = writer;
	memcpy(j->magic, "TSRAJRN1", 8);
	return j;
}

#endif
