// The change log.

#include "common.h"

#define C(name) annals_log_change_log_##name

typedef C(borrow_change_log_t) log_t;

static bool open_log(annals_log_types_mode_t mode, const char *instance, C(own_change_log_t) * log) {
    C(options_t) options = {.mode = mode};
    if (instance) {
        options.instance.is_some = true;
        options.instance.val = name(instance);
    }
    guest_string_t called = name("changes");
    return C(static_change_log_open)(&called, &options, log, &error);
}

static void record(log_t log, const char *id, const char *payload, uint64_t after) {
    C(change_t) change = {.payload = bytes(payload), .cleanup_after_ms = {.is_some = after != 0, .val = after}};
    guest_list_u8_t key = bytes(id);
    must(C(method_change_log_record)(log, &key, &change, &error));
}

static const char *removed(log_t log, const char *origin, const char *id) {
    guest_string_t from = name(origin ? origin : "");
    guest_list_u8_t key = bytes(id);
    bool was_there;
    must(C(method_change_log_remove)(log, origin ? &from : NULL, &key, &was_there, &error));
    return was_there ? "yes" : "no";
}

static bool get(log_t log, const char *id, C(option_change_t) * change) {
    guest_list_u8_t key = bytes(id);
    return C(method_change_log_get)(log, NULL, &key, change, &error);
}

// What is outstanding, each as `ORIGIN/ID PAYLOAD`.
static const char *listed(log_t log, bool deferred) {
    C(own_reader_t) reader;
    must(C(method_change_log_scan)(log, deferred, &reader, &error));
    const char *list = "";
    for (;;) {
        C(option_list_outstanding_t) some;
        must(C(method_reader_next)(C(borrow_reader)(reader), &all, &some, &error));
        if (!some.is_some) break;
        for (size_t i = 0; i < some.val.len; i++) {
            C(outstanding_t) one = some.val.ptr[i];
            list = joined(list, text("%.*s/%.*s %s", (int)one.origin.len, (const char *)one.origin.ptr, (int)one.id.len,
                                     (const char *)one.id.ptr, quoted(one.change.payload)));
        }
    }
    C(reader_drop_own)(reader);
    return list;
}

static void record_and_scan(log_t log) {
    guest_string_t instance;
    C(method_change_log_instance)(log, &instance);
    say("instance %.*s", (int)instance.len, (const char *)instance.ptr);
    record(log, "1", "one", 0);
    record(log, "2", "two", 0);
    record(log, "2", "two again", 0);
    // In the year 2100.
    record(log, "3", "later", 4102444800000);
    const char *first = removed(log, NULL, "1");
    say("removed %s and again %s", first, removed(log, NULL, "1"));
    C(option_change_t) found;
    must(get(log, "2", &found));
    check(found.is_some && !found.val.cleanup_after_ms.is_some, "get");
    must(get(log, "1", &found));
    say("change 1 is %s", found.is_some ? "there" : "none");
    say("outstanding %s", listed(log, false));
    say("with deferred ones %s", listed(log, true));
    must(C(method_change_log_heartbeat)(log, &error));
}

static void recover(log_t log) {
    C(list_recovered_t) dead;
    must(C(method_change_log_recover)(log, 3600000, &dead, &error));
    for (size_t i = 0; i < dead.len; i++) {
        C(recovered_t) one = dead.ptr[i];
        say("recovered %" PRIu64 " of %.*s damaged %s", one.changes, (int)one.instance.len,
            (const char *)one.instance.ptr, one.damaged.is_some ? "yes" : "no");
    }
    say("outstanding %s", listed(log, true));
    const char *adopted = removed(log, "first", "2");
    say("removed %s of its own %s", adopted, removed(log, NULL, "3"));
}

static void show_instances(void) {
    static const char *const STATES[] = {"live", "closed", "claimed", "damaged"};
    guest_string_t called = name("changes");
    C(list_instance_info_t) infos;
    must(C(instances)(&called, &infos, &error));
    for (size_t i = 0; i < infos.len; i++) {
        C(instance_info_t) one = infos.ptr[i];
        say("instance %.*s is %s", (int)one.instance.len, (const char *)one.instance.ptr,
            STATES[one.state % LENGTH(STATES)]);
    }
}

void use_change_log(void) {
    C(own_change_log_t) log, second;
    must(open_log(ANNALS_LOG_TYPES_MODE_CREATE, "first", &log));
    log_t here = C(borrow_change_log)(log);
    record_and_scan(here);
    say("the same instance is %s", refused(open_log(ANNALS_LOG_TYPES_MODE_OPEN, "first", &second)));
    guest_string_t called = name("changes");
    say("destroying it is %s", refused(C(destroy)(&called, &error)));
    annals_log_types_token_t token;
    must(C(method_change_log_close)(here, &token, &error));
    C(option_change_t) late;
    say("closed, get is %s", refused(get(here, "2", &late)));
    C(change_log_drop_own)(log);

    must(open_log(ANNALS_LOG_TYPES_MODE_OPEN, "second", &log));
    here = C(borrow_change_log)(log);
    recover(here);
    must(C(method_change_log_close)(here, &token, &error));
    C(change_log_drop_own)(log);
    show_instances();
    must(open_log(ANNALS_LOG_TYPES_MODE_READ_ONLY, NULL, &log));
    say("read only, outstanding %s", listed(C(borrow_change_log)(log), true));
    C(change_log_drop_own)(log);
    say("token %s", token_text(token));
}
