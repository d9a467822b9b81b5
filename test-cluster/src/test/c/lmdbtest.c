/*
 * LMDB on a directory: lmdbtest DIR RECORDS. Writes in many transactions, also with a writable mapping (MDB_WRITEMAP), has a
 * child read snapshots meanwhile, reopens and checks every record.
 */
#include "check.h"
#include <lmdb.h>
#include <sys/wait.h>

#define LMDB(call) \
	do { \
		int lmdb_result = (call); \
		if (lmdb_result) { \
			printf("FAIL lmdb (%s:%d): %s: %s\n", __FILE__, __LINE__, #call, mdb_strerror(lmdb_result)); \
			fflush(stdout); \
			_exit(1); \
		} \
	} while (0)

static MDB_env *open_env(const char *dir, unsigned flags)
{
	MDB_env *env;
	LMDB(mdb_env_create(&env));
	LMDB(mdb_env_set_mapsize(env, 256L << 20));
	LMDB(mdb_env_open(env, dir, flags, 0644));
	return env;
}

static void put(MDB_env *env, long from, long to)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	char value[200];
	LMDB(mdb_txn_begin(env, NULL, 0, &txn));
	LMDB(mdb_dbi_open(txn, NULL, MDB_CREATE, &dbi));
	for (long i = from; i < to; i++) {
		memset(value, (int)(i % 251), sizeof value);
		MDB_val k = {sizeof i, &i}, v = {sizeof value, value};
		LMDB(mdb_put(txn, dbi, &k, &v, 0));
	}
	LMDB(mdb_txn_commit(txn));
}

/* Counts the records of one snapshot and checks each. */
static long verify(MDB_env *env)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *c;
	MDB_val k, v;
	long n = 0;
	LMDB(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
	int opened = mdb_dbi_open(txn, NULL, 0, &dbi);
	if (opened == MDB_NOTFOUND)
		goto out;
	LMDB(opened);
	LMDB(mdb_cursor_open(txn, dbi, &c));
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		long key;
		memcpy(&key, k.mv_data, sizeof key);
		for (size_t i = 0; i < v.mv_size; i++)
			if (((unsigned char *)v.mv_data)[i] != key % 251) {
				check_fail(__FILE__, __LINE__, "record %ld is damaged at byte %zu", key, i);
				break;
			}
		n++;
	}
	mdb_cursor_close(c);
out:
	mdb_txn_abort(txn);
	return n;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: lmdbtest DIR RECORDS\n");
		return 2;
	}
	check_case = "lmdb";
	long records = atol(argv[2]), batch = records / 40, status;
	unsigned modes[] = {0, MDB_WRITEMAP};
	for (int m = 0; m < 2; m++) {
		char dir[4096];
		snprintf(dir, sizeof dir, "%s/env%d", argv[1], m);
		MUST(mkdir(dir, 0755));
		MDB_env *env = open_env(dir, modes[m]);
		put(env, 0, 1);
		mdb_env_close(env);
		pid_t reader = MUST(fork());
		if (reader == 0) {
			env = open_env(dir, modes[m]);
			long last = 0;
			while (last < records) {
				long n = verify(env);
				CHECK(n >= last);
				last = n;
				if (check_failures)
					break;
			}
			mdb_env_close(env);
			_exit(check_failures != 0);
		}
		env = open_env(dir, modes[m]);
		for (long at = 0; at < records; at += batch)
			put(env, at, at + batch > records ? records : at + batch);
		int child;
		status = waitpid(reader, &child, 0);
		CHECK(status == reader && child == 0);
		mdb_env_close(env);
		env = open_env(dir, modes[m]);
		EQUALS(records, verify(env));
		mdb_env_close(env);
	}
	return check_failures != 0;
}
