#include "common.h"

#include <stdarg.h>

const char *part = "guest";
annals_log_types_error_t error;
annals_log_types_limits_t all = {.count = 1000, .bytes = 1 << 20};

static const char *const ERRORS[] = {
    "not-found",  "exists", "locked",         "other-kind", "options-differ", "invalid-argument",
    "out-of-range", "pruned", "invalid-rewind", "conflict",   "gap",            "deleted",
    "too-large",  "fenced", "artifact",       "read-only",  "damaged",        "rolled-back",
    "unknown-format", "out-of-space", "storage", "closed", "other",
};

static const char *const FAULTS[] = {
    "manifest", "schema-version", "backend", "backend-version", "path", "undeclared-file",
    "missing-file", "not-a-file", "size", "checksum", "cursor",
};

void say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    printf("%s: ", part);
    vprintf(format, values);
    printf("\n");
    va_end(values);
}

// Room for a text that stays: the lines of this program are short and few.
static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *text(const char *format, ...) {
    va_list values;
    char *room = malloc(4096);
    if (!room) abort();
    va_start(values, format);
    vsnprintf(room, 4096, format, values);
    va_end(values);
    return room;
}

static const char *told(void) {
    const char *called = error.tag < LENGTH(ERRORS) ? ERRORS[error.tag] : "unknown";
    switch (error.tag) {
        case ANNALS_LOG_TYPES_ERROR_OUT_OF_RANGE:
        case ANNALS_LOG_TYPES_ERROR_PRUNED:
        case ANNALS_LOG_TYPES_ERROR_INVALID_REWIND:
        case ANNALS_LOG_TYPES_ERROR_GAP:
        case ANNALS_LOG_TYPES_ERROR_DELETED:
            // All five carry the same.
            return text("%s [%" PRIu64 ", %" PRIu64 ")", called, error.val.pruned.start, error.val.pruned.end);
        case ANNALS_LOG_TYPES_ERROR_CONFLICT:
            return text("%s %" PRIu64, called, error.val.conflict);
        case ANNALS_LOG_TYPES_ERROR_ARTIFACT:
            return text("%s %s", called, FAULTS[error.val.artifact % LENGTH(FAULTS)]);
        default:
            return called;
    }
}

void must(bool ok) {
    if (!ok) {
        fprintf(stderr, "%s: %s\n", part, told());
        exit(1);
    }
}

const char *refused(bool ok) {
    check(!ok, "it was to be refused");
    const char *what = told();
    annals_log_types_error_free(&error);
    return what;
}

void check(bool claim, const char *what) {
    if (!claim) {
        fprintf(stderr, "%s: this does not hold: %s\n", part, what);
        exit(1);
    }
}

guest_list_u8_t bytes(const char *text) {
    return (guest_list_u8_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

guest_string_t name(const char *text) {
    return (guest_string_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

const char *number(guest_option_u64_t value) {
    return value.is_some ? text("%" PRIu64, value.val) : "none";
}

const char *quoted(guest_list_u8_t value) {
    return text("\"%.*s\"", (int)value.len, (const char *)value.ptr);
}

const char *items(guest_list_u32_t ends, guest_list_u8_t packed) {
    char *list = text("%s", "");
    uint32_t start = 0;
    for (size_t i = 0; i < ends.len; i++) {
        const char *gap = i ? " " : "";
        list = text("%s%s\"%.*s\"", list, gap, (int)(ends.ptr[i] - start), (const char *)packed.ptr + start);
        start = ends.ptr[i];
    }
    return list;
}

const char *token_text(annals_log_types_token_t token) {
    return text("%016" PRIx64 "%016" PRIx64 "-%" PRIu64 "-%016" PRIx64 "%016" PRIx64, token.log.f0, token.log.f1,
                token.frame, token.check.f0, token.check.f1);
}

bool same_token(annals_log_types_token_t left, annals_log_types_token_t right) {
    return strcmp(token_text(left), token_text(right)) == 0;
}
