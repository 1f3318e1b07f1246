// What we use of libpq.so.5, and how it is loaded: by the first sink that needs it, so that nobody else carries it.
//
// The declarations are those of libpq-fe.h (PostgreSQL 15); what has the number 5 in its name keeps them. They are hidden:
// libpq's own calls of the same names must not end here.

#pragma once
#include <stddef.h>

#pragma GCC visibility push(hidden)

/// Loads `library` and finds every function below in it; nothing of theirs may be called before. From any thread, as often
/// as wanted. The library that was loaded first stays until the process ends, because connections live in it.
/// Returns 1, or 0 with the reason in `problem`.
int postgres_client_load(const char *library, char *problem, size_t room);

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef unsigned int Oid;

// Only values that we tell from the others.
typedef enum { CONNECTION_OK = 0 } ConnStatusType;

typedef enum {
    PGRES_POLLING_FAILED = 0,
    PGRES_POLLING_READING = 1,
    PGRES_POLLING_WRITING = 2,
    PGRES_POLLING_OK = 3
} PostgresPollingStatusType;

typedef enum {
    PGRES_EMPTY_QUERY = 0,
    PGRES_COMMAND_OK = 1,
    PGRES_TUPLES_OK = 2,
    PGRES_COPY_IN = 4,
    PGRES_SINGLE_TUPLE = 9
} ExecStatusType;

typedef enum { PQERRORS_VERBOSE = 2 } PGVerbosity;

typedef void (*PQnoticeProcessor)(void *user, const char *message);

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand_dbname);
PostgresPollingStatusType PQconnectPoll(PGconn *connection);
void PQfinish(PGconn *connection);
ConnStatusType PQstatus(const PGconn *connection);
char *PQerrorMessage(const PGconn *connection);
int PQsocket(const PGconn *connection);
int PQsetnonblocking(PGconn *connection, int is_nonblocking);
PGVerbosity PQsetErrorVerbosity(PGconn *connection, PGVerbosity verbosity);
PQnoticeProcessor PQsetNoticeProcessor(PGconn *connection, PQnoticeProcessor processor, void *user);

int PQsendQuery(PGconn *connection, const char *query);
int PQsendQueryParams(
    PGconn *connection, const char *command, int count, const Oid *types, const char *const *values, const int *lengths,
    const int *formats, int result_format);
int PQputCopyData(PGconn *connection, const char *bytes, int count);
int PQputCopyEnd(PGconn *connection, const char *error);
int PQconsumeInput(PGconn *connection);
int PQflush(PGconn *connection);
int PQisBusy(PGconn *connection);
PGresult *PQgetResult(PGconn *connection);

ExecStatusType PQresultStatus(const PGresult *result);
char *PQresultErrorMessage(const PGresult *result);
char *PQresultErrorField(const PGresult *result, int field);
int PQntuples(const PGresult *result);
int PQnfields(const PGresult *result);
char *PQgetvalue(const PGresult *result, int row, int column);
char *PQcmdTuples(PGresult *result);
void PQclear(PGresult *result);

#pragma GCC visibility pop
