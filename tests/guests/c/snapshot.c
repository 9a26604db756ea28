// The snapshot.

#include "common.h"

#define S(name) annals_log_snapshot_##name

typedef S(borrow_snapshot_t) log_t;

static bool open_log(const char *called, annals_log_types_mode_t mode, S(own_snapshot_t) * log) {
    S(options_t) options = {.mode = mode};
    guest_string_t log_name = name(called);
    return S(static_snapshot_open)(&log_name, &options, log, &error);
}

static S(update_t) put(const char *key, const char *value, const char *version) {
    S(update_t) update = {.tag = ANNALS_LOG_SNAPSHOT_UPDATE_PUT};
    update.val.put = (S(entry_t)){.key = bytes(key), .value = bytes(value), .version = bytes(version)};
    return update;
}

static bool apply(log_t log, S(update_t) * updates, size_t count, const char *cursor) {
    S(list_update_t) list = {updates, count};
    guest_list_u8_t to = bytes(cursor);
    S(option_token_t) token;
    return S(method_snapshot_apply)(log, &list, &to, &token, &error);
}

static const char *cursor(log_t log) {
    guest_list_u8_t found;
    must(S(method_snapshot_cursor)(log, &found, &error));
    return quoted(found);
}

static const char *has_entries(log_t log) {
    bool has;
    must(S(method_snapshot_has_entries)(log, &has, &error));
    return has ? "yes" : "no";
}

static bool get(log_t log, const char *key, S(option_entry_t) * entry) {
    guest_list_u8_t wanted = bytes(key);
    return S(method_snapshot_get)(log, &wanted, entry, &error);
}

// The entries with that prefix, each as `KEY = VALUE @ VERSION`.
static const char *listed(log_t log, const char *prefix) {
    guest_list_u8_t wanted = bytes(prefix);
    S(own_reader_t) reader;
    must(S(method_snapshot_range)(log, &wanted, &reader, &error));
    const char *list = "";
    for (;;) {
        S(option_entries_t) some;
        must(S(method_reader_next)(S(borrow_reader)(reader), &all, &some, &error));
        if (!some.is_some) break;
        for (size_t i = 0; i < some.val.ends.len; i += 3) {
            const char *parts[3];
            for (size_t j = 0; j < 3; j++) parts[j] = quoted(item(some.val.ends, some.val.bytes, i + j));
            list = joined(list, text("%s = %s @ %s", parts[0], parts[1], parts[2]));
        }
    }
    S(reader_drop_own)(reader);
    return list;
}

static void apply_and_read(log_t log) {
    say("cursor %s entries %s", cursor(log), has_entries(log));
    S(update_t) first[] = {put("a/1", "one", "v1"), put("a/2", "two", "v1"), put("b/1", "", "")};
    must(apply(log, first, LENGTH(first), "3"));
    uint8_t kinds[] = {
        ANNALS_LOG_SNAPSHOT_UPDATE_KIND_PUT,
        ANNALS_LOG_SNAPSHOT_UPDATE_KIND_DELETE,
        ANNALS_LOG_SNAPSHOT_UPDATE_KIND_PURGE,
    };
    uint32_t ends[] = {3, 6, 8, 11, 11, 13, 14, 14, 16};
    S(updates_t) packed = {{kinds, LENGTH(kinds)}, {ends, LENGTH(ends)}, bytes("a/1unov2a/2v2cv2")};
    guest_list_u8_t to = bytes("6");
    S(option_token_t) token;
    must(S(method_snapshot_apply_packed)(log, &packed, &to, &token, &error));
    check(token.is_some, "an apply is durable");
    say("cursor %s entries %s", cursor(log), has_entries(log));
    say("all: %s", listed(log, ""));
    say("below a/: %s", listed(log, "a/"));
    S(option_entry_t) found;
    must(get(log, "a/1", &found));
    check(found.is_some && strcmp(quoted(found.val.value), "\"uno\"") == 0, "get");
    must(get(log, "a/2", &found));
    say("a/2 is %s", found.is_some ? "there" : "none");

    S(update_t) removal = {.tag = ANNALS_LOG_SNAPSHOT_UPDATE_DELETE};
    removal.val.delete_ = (S(removal_t)){.key = bytes("b/1"), .version = bytes("v3")};
    must(apply(log, &removal, 1, "7"));
    S(update_t) last = put("d", "four", "v4");
    must(apply(log, &last, 1, ""));
    must(apply(log, NULL, 0, "8"));
    static uint8_t long_key[65537];
    last.val.put.key = (guest_list_u8_t){long_key, sizeof long_key};
    say("a key of nothing but length is %s", refused(apply(log, &last, 1, "9")));
    must(S(method_snapshot_compact)(log, &error));
    S(stats_t) stats;
    must(S(method_snapshot_stats)(log, &stats, &error));
    say("compacted, entries %" PRIu64 " generation %" PRIu64 " cursor %s", stats.entries, stats.generation,
        cursor(log));
}

// An artifact, in memory.
static S(manifest_t) manifest;
static S(artifact_chunk_t) chunks[16];
static size_t chunk_count;

static void export_artifact(log_t log) {
    S(own_artifact_reader_t) reader;
    must(S(method_snapshot_export_artifact)(log, &reader, &error));
    for (;;) {
        S(option_artifact_chunk_t) chunk;
        must(S(method_artifact_reader_next)(S(borrow_artifact_reader)(reader), 1 << 20, &chunk, &error));
        if (!chunk.is_some) break;
        check(chunk_count < LENGTH(chunks), "the artifact is small");
        chunks[chunk_count++] = chunk.val;
    }
    must(S(method_artifact_reader_manifest)(S(borrow_artifact_reader)(reader), &manifest, &error));
    S(artifact_reader_drop_own)(reader);
    say("exported %.*s %.*s at %s", (int)manifest.backend.len, (const char *)manifest.backend.ptr,
        (int)manifest.backend_version.len, (const char *)manifest.backend_version.ptr, quoted(manifest.cursor));
}

// Imports the first chunks of the artifact.
static bool import_artifact(const char *called, size_t count) {
    guest_string_t log_name = name(called);
    S(own_artifact_writer_t) writer;
    if (!S(static_artifact_writer_start)(&log_name, &manifest, NULL, &writer, &error)) return false;
    S(borrow_artifact_writer_t) here = S(borrow_artifact_writer)(writer);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = S(method_artifact_writer_write)(here, &chunks[i].path, &chunks[i].bytes, &error);
    }
    annals_log_types_token_t token;
    ok = ok && S(method_artifact_writer_finish)(here, &token, &error);
    S(artifact_writer_drop_own)(writer);
    return ok;
}

void use_snapshot(void) {
    S(own_snapshot_t) log;
    must(open_log("fold", ANNALS_LOG_TYPES_MODE_CREATE, &log));
    log_t here = S(borrow_snapshot)(log);
    apply_and_read(here);
    export_artifact(here);
    say("a copy of the same name is %s", refused(import_artifact("fold", chunk_count)));
    chunks[chunk_count - 1].bytes.ptr[0] ^= 1;
    say("a spoilt copy is %s", refused(import_artifact("copy", chunk_count)));
    chunks[chunk_count - 1].bytes.ptr[0] ^= 1;
    say("half a copy is %s", refused(import_artifact("copy", chunk_count - 1)));
    must(import_artifact("copy", chunk_count));
    annals_log_types_token_t token;
    must(S(method_snapshot_close)(here, &token, &error));
    S(option_entry_t) late;
    say("closed, get is %s", refused(get(here, "d", &late)));
    S(snapshot_drop_own)(log);

    must(open_log("copy", ANNALS_LOG_TYPES_MODE_READ_ONLY, &log));
    here = S(borrow_snapshot)(log);
    say("the copy: %s at %s", listed(here, ""), cursor(here));
    S(snapshot_drop_own)(log);
    say("token %s", token_text(token));
}
