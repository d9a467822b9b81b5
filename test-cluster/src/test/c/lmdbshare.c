/*
 * One LMDB environment used by several processes, each in its own mount:
 *
 *   lmdbshare DIR run PROCESS TRANSACTIONS
 *   lmdbshare DIR verify TRANSACTIONS         of all processes together
 *
 * LMDB's own locks are mutexes in a mapped file, which wake only waiters of the same kernel inode; so they are off (MDB_NOLOCK), and each
 * transaction runs under an fcntl lock, exclusive for writers, shared for readers. Then all of LMDB's state comes through the mapping.
 * Each transaction adds one record and counts, in all and by process; a snapshot in which these disagree is a failure.
 */
#include "check.h"
#include <lmdb.h>

#define PROCESSES 16
#define VERIFY_EVERY 8

#define LMDB(call) \
	do { \
		int lmdb_result = (call); \
		if (lmdb_result) { \
			printf("FAIL lmdbshare (%s:%d): %s: %s\n", __FILE__, __LINE__, #call, mdb_strerror(lmdb_result)); \
			fflush(stdout); \
			_exit(1); \
		} \
	} while (0)

struct counts {
	uint64_t total, by_process[PROCESSES];
};

struct record {
	uint64_t number, process;
	unsigned char filling[600];
};

static const uint64_t counts_key = UINT64_MAX;
static int lock_fd;

static void lock(int type)
{
	struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET};
	MUST(fcntl(lock_fd, F_SETLKW, &lock));
}

static struct counts read_counts(MDB_txn *txn, MDB_dbi dbi)
{
	struct counts counts = {0};
	MDB_val k = {sizeof counts_key, (void *)&counts_key}, v;
	int result = mdb_get(txn, dbi, &k, &v);
	if (result != MDB_NOTFOUND) {
		LMDB(result);
		memcpy(&counts, v.mv_data, sizeof counts);
	}
	return counts;
}

static void add(MDB_env *env, uint64_t process)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	lock(F_WRLCK);
	LMDB(mdb_txn_begin(env, NULL, 0, &txn));
	LMDB(mdb_dbi_open(txn, NULL, MDB_CREATE | MDB_INTEGERKEY, &dbi));
	struct counts counts = read_counts(txn, dbi);
	struct record record = {counts.total, process, {0}};
	memset(record.filling, (int)(counts.total % 251), sizeof record.filling);
	MDB_val k = {8, &record.number}, v = {sizeof record, &record};
	LMDB(mdb_put(txn, dbi, &k, &v, MDB_NOOVERWRITE));
	counts.total++;
	counts.by_process[process]++;
	MDB_val ck = {8, (void *)&counts_key}, cv = {sizeof counts, &counts};
	LMDB(mdb_put(txn, dbi, &ck, &cv, 0));
	LMDB(mdb_txn_commit(txn));
	lock(F_UNLCK);
}

/* Records in one snapshot, each checked. */
static uint64_t verify(MDB_env *env)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	MDB_val k, v;
	uint64_t records = 0, by_process[PROCESSES] = {0};
	lock(F_RDLCK);
	LMDB(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
	LMDB(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi));
	struct counts counts = read_counts(txn, dbi);
	LMDB(mdb_cursor_open(txn, dbi, &cursor));
	while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		uint64_t key;
		struct record record;
		memcpy(&key, k.mv_data, 8);
		if (key == counts_key)
			continue;
		EQUALS(sizeof record, v.mv_size);
		memcpy(&record, v.mv_data, sizeof record);
		EQUALS(records, key);
		EQUALS(records, record.number);
		CHECK(record.process < PROCESSES);
		for (size_t i = 0; i < sizeof record.filling; i++)
			CHECK(record.filling[i] == key % 251);
		if (check_failures)
			_exit(1);
		by_process[record.process]++;
		records++;
	}
	EQUALS(records, counts.total);
	for (int i = 0; i < PROCESSES; i++)
		EQUALS(by_process[i], counts.by_process[i]);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	lock(F_UNLCK);
	return records;
}

int main(int argc, char **argv)
{
	int run = argc == 5 && !strcmp(argv[2], "run");
	check_case = "lmdbshare";
	if (!run && !(argc == 4 && !strcmp(argv[2], "verify"))) {
		fprintf(stderr, "usage: lmdbshare DIR run PROCESS TRANSACTIONS | lmdbshare DIR verify TRANSACTIONS\n");
		return 2;
	}
	char path[4096];
	snprintf(path, sizeof path, "%s/transaction-lock", argv[1]);
	lock_fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
	MDB_env *env;
	LMDB(mdb_env_create(&env));
	LMDB(mdb_env_set_mapsize(env, 64L << 20));
	lock(F_WRLCK); /* the first one makes the files */
	LMDB(mdb_env_open(env, argv[1], MDB_NOLOCK, 0644));
	lock(F_UNLCK);
	uint64_t transactions = strtoull(argv[argc - 1], NULL, 10), seen = 0;
	for (uint64_t i = 1; run && i <= transactions; i++) {
		add(env, strtoull(argv[3], NULL, 10) % PROCESSES);
		if (i % VERIFY_EVERY == 0) {
			uint64_t records = verify(env);
			CHECK(records >= seen && records >= i);
			seen = records;
		}
	}
	if (!run)
		EQUALS(transactions, verify(env));
	mdb_env_close(env);
	return check_failures != 0;
}
