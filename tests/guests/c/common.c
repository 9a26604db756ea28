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

char *text(const char *format, ...) {
    va_list values;
    // The lines of this program are short and few.
    char *room = malloc(1024);
    check(room != NULL, "there is memory");
    va_start(values, format);
    int length = vsnprintf(room, 1024, format, values);
    va_end(values);
    check(length >= 0 && length < 1024, "the line is short");
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
        if (error.tag == ANNALS_LOG_TYPES_ERROR_OTHER) {
            fprintf(stderr, "%.*s\n", (int)error.val.other.len, (const char *)error.val.other.ptr);
        }
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

const char *joined(const char *before, const char *more) {
    return *before ? text("%s %s", before, more) : more;
}

guest_list_u8_t item(guest_list_u32_t ends, guest_list_u8_t packed, size_t i) {
    uint32_t start = i ? ends.ptr[i - 1] : 0;
    check(i < ends.len && start <= ends.ptr[i] && ends.ptr[i] <= packed.len, "packed items fit together");
    return (guest_list_u8_t){.ptr = packed.ptr + start, .len = ends.ptr[i] - start};
}

const char *items(guest_list_u32_t ends, guest_list_u8_t packed) {
    const char *list = "";
    for (size_t i = 0; i < ends.len; i++) list = joined(list, quoted(item(ends, packed, i)));
    return list;
}

const char *token_text(annals_log_types_token_t token) {
    return text("%016" PRIx64 "%016" PRIx64 "-%" PRIu64 "-%016" PRIx64 "%016" PRIx64, token.log.f0, token.log.f1,
                token.frame, token.check.f0, token.check.f1);
}

bool same_token(annals_log_types_token_t left, annals_log_types_token_t right) {
    return strcmp(token_text(left), token_text(right)) == 0;
}
