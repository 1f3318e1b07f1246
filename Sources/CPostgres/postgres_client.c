// Finds libpq's functions when they are asked for first, and calls them through a table.

#include "postgres_client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define FUNCTIONS(each) \
    each(PQconnectStartParams) each(PQconnectPoll) each(PQfinish) each(PQstatus) each(PQerrorMessage) each(PQsocket) \
    each(PQsetnonblocking) each(PQsetErrorVerbosity) each(PQsetNoticeProcessor) each(PQsendQuery) \
    each(PQsendQueryParams) each(PQputCopyData) each(PQputCopyEnd) each(PQconsumeInput) each(PQflush) each(PQisBusy) \
    each(PQgetResult) each(PQresultStatus) each(PQresultErrorMessage) each(PQresultErrorField) each(PQntuples) \
    each(PQnfields) each(PQgetvalue) each(PQcmdTuples) each(PQclear)

struct functions {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
};

// Written once, under the lock. Who calls a function has come through the lock before, in postgres_client_load.
static struct functions libpq;
static int is_loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/// The name of the first function that isn't there; NULL when all are.
static const char *find(void *handle, struct functions *found) {
    // POSIX lets an object pointer of dlsym's be a function's; C has no cast that says so.
#define FIND(name) \
    if ((*(void **)&found->name = dlsym(handle, #name)) == NULL) return #name;
    FUNCTIONS(FIND)
    return NULL;
}

static int load(const char *library, char *problem, size_t room) {
    // Local: its names are for nobody else. A library that is there already is only counted.
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *reason = dlerror();
        return snprintf(problem, room, "%s", reason ? reason : "no reason given"), 0;
    }
    struct functions found;
    const char *missing = find(handle, &found);
    if (missing == NULL && !is_loaded) {
        libpq = found;
        is_loaded = 1;
        return 1;
    }
    if (missing) snprintf(problem, room, "%s: there is no %s in it", library, missing);
    dlclose(handle);
    return missing == NULL;
}

int postgres_client_load(const char *library, char *problem, size_t room) {
    pthread_mutex_lock(&lock);
    int is_there = load(library, problem, room);
    pthread_mutex_unlock(&lock);
    return is_there;
}

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand_dbname) {
    return libpq.PQconnectStartParams(keywords, values, expand_dbname);
}
PostgresPollingStatusType PQconnectPoll(PGconn *connection) { return libpq.PQconnectPoll(connection); }
void PQfinish(PGconn *connection) { libpq.PQfinish(connection); }
ConnStatusType PQstatus(const PGconn *connection) { return libpq.PQstatus(connection); }
char *PQerrorMessage(const PGconn *connection) { return libpq.PQerrorMessage(connection); }
int PQsocket(const PGconn *connection) { return libpq.PQsocket(connection); }
int PQsetnonblocking(PGconn *connection, int is_nonblocking) { return libpq.PQsetnonblocking(connection, is_nonblocking); }
PGVerbosity PQsetErrorVerbosity(PGconn *connection, PGVerbosity verbosity) {
    return libpq.PQsetErrorVerbosity(connection, verbosity);
}
PQnoticeProcessor PQsetNoticeProcessor(PGconn *connection, PQnoticeProcessor processor, void *user) {
    return libpq.PQsetNoticeProcessor(connection, processor, user);
}

int PQsendQuery(PGconn *connection, const char *query) { return libpq.PQsendQuery(connection, query); }
int PQsendQueryParams(
    PGconn *connection, const char *command, int count, const Oid *types, const char *const *values, const int *lengths,
    const int *formats, int result_format) {
    return libpq.PQsendQueryParams(connection, command, count, types, values, lengths, formats, result_format);
}
int PQputCopyData(PGconn *connection, const char *bytes, int count) { return libpq.PQputCopyData(connection, bytes, count); }
int PQputCopyEnd(PGconn *connection, const char *error) { return libpq.PQputCopyEnd(connection, error); }
int PQconsumeInput(PGconn *connection) { return libpq.PQconsumeInput(connection); }
int PQflush(PGconn *connection) { return libpq.PQflush(connection); }
int PQisBusy(PGconn *connection) { return libpq.PQisBusy(connection); }
PGresult *PQgetResult(PGconn *connection) { return libpq.PQgetResult(connection); }

ExecStatusType PQresultStatus(const PGresult *result) { return libpq.PQresultStatus(result); }
char *PQresultErrorMessage(const PGresult *result) { return libpq.PQresultErrorMessage(result); }
char *PQresultErrorField(const PGresult *result, int field) { return libpq.PQresultErrorField(result, field); }
int PQntuples(const PGresult *result) { return libpq.PQntuples(result); }
int PQnfields(const PGresult *result) { return libpq.PQnfields(result); }
char *PQgetvalue(const PGresult *result, int row, int column) { return libpq.PQgetvalue(result, row, column); }
char *PQcmdTuples(PGresult *result) { return libpq.PQcmdTuples(result); }
void PQclear(PGresult *result) { libpq.PQclear(result); }
