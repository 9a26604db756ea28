// The Raft log.

#include "common.h"

#define R(name) annals_log_raft_log_##name

typedef R(borrow_raft_log_t) log_t;

static bool open_log(annals_log_types_mode_t mode, const annals_log_types_token_t *expect, R(own_raft_log_t) * log) {
    R(options_t) options = {.mode = mode, .sync_on_persist = true};
    if (expect) {
        options.expect.is_some = true;
        options.expect.val = *expect;
    }
    guest_string_t called = name("raft");
    return R(static_raft_log_open)(&called, &options, log, &error);
}

static R(entry_t) entry(uint64_t term, uint64_t index, const char *payload) {
    return (R(entry_t)){.id = {.term = term, .index = index}, .payload = bytes(payload)};
}

static bool persist(log_t log, R(entry_t) * entries, size_t count) {
    R(list_entry_t) list = {entries, count};
    return R(method_raft_log_persist)(log, &list, &error);
}

static const char *log_id(log_t log) {
    R(option_log_id_t) id;
    must(R(method_raft_log_purge_boundary)(log, &id, &error));
    return id.is_some ? text("%" PRIu64 "/%" PRIu64, id.val.term, id.val.index) : "none";
}

static const char *first(log_t log) {
    guest_option_u64_t index;
    must(R(method_raft_log_first_index)(log, &index, &error));
    return number(index);
}

static uint64_t last(log_t log) {
    uint64_t index;
    must(R(method_raft_log_last_index)(log, &index, &error));
    return index;
}

static const char *yes(bool value) {
    return value ? "yes" : "no";
}

// Each entry as `TERM/INDEX PAYLOAD`.
static const char *listed(log_t log, uint64_t from, uint64_t to) {
    R(entries_t) entries;
    must(R(method_raft_log_get_entries)(log, from, to, &all, &entries, &error));
    const char *list = "";
    for (size_t i = 0; i < entries.indexes.len; i++) {
        const char *payload = quoted(item(entries.ends, entries.bytes, i));
        list = joined(list, text("%" PRIu64 "/%" PRIu64 " %s", entries.terms.ptr[i], entries.indexes.ptr[i], payload));
    }
    return list;
}

// The payload of an entry.
static const char *get(log_t log, uint64_t index) {
    R(option_entry_t) found;
    must(R(method_raft_log_entry)(log, index, &found, &error));
    check(!found.is_some || found.val.id.index == index, "entry");
    return found.is_some ? quoted(found.val.payload) : "none";
}

static const char *term_of(log_t log, uint64_t index) {
    guest_option_u64_t term;
    must(R(method_raft_log_term_of)(log, index, &term, &error));
    return number(term);
}

static void persist_and_read(log_t log) {
    R(option_hard_state_t) none;
    must(R(method_raft_log_load_hard_state)(log, &none, &error));
    say("first %s last %" PRIu64 " hard state %s", first(log), last(log), none.is_some ? "there" : "none");
    R(hard_state_t) state = {.term = 1, .vote = {.is_some = true, .val = 3}, .extra = bytes("node 1")};
    must(R(method_raft_log_save_hard_state)(log, &state, &error));
    R(entry_t) entries[4];
    for (size_t i = 0; i < LENGTH(entries); i++) entries[i] = entry(1, i + 1, "one");
    must(persist(log, entries, LENGTH(entries)));
    uint64_t indexes[] = {5, 6}, terms[] = {1, 1};
    uint32_t ends[] = {4, 7};
    R(entries_t) packed = {{indexes, 2}, {terms, 2}, {ends, 2}, bytes("fivesix")};
    must(R(method_raft_log_persist_packed)(log, &packed, &error));
    R(entry_t) again = entry(2, 3, "again");
    must(persist(log, &again, 1));
    say("first %s last %" PRIu64 " durable %s", first(log), last(log), yes(R(method_raft_log_is_write_durable)(log)));
    say("entries %s", listed(log, 2, 5));
    check(strcmp(get(log, 3), "\"again\"") == 0, "entry");
    say("term of 3 is %s of 9 %s and entry 9 is %s", term_of(log, 3), term_of(log, 9), get(log, 9));
    R(entries_t) inverted;
    must(R(method_raft_log_get_entries)(log, 5, 2, &all, &inverted, &error));
    say("an inverted range has %zu entries", inverted.indexes.len);
}

static void replace_and_purge(log_t log) {
    R(entry_t) gap = entry(2, 9, "");
    say("a gap is %s", refused(persist(log, &gap, 1)));
    R(entry_t) twice[] = {entry(2, 7, ""), entry(2, 7, "")};
    say("a double is %s", refused(persist(log, twice, 2)));
    must(R(method_raft_log_truncate)(log, 6, &error));
    R(entry_t) both[] = {entry(3, 5, "new"), entry(3, 6, "newer")};
    R(list_entry_t) list = {both, LENGTH(both)};
    must(R(method_raft_log_replace_range)(log, 5, &list, &error));
    uint64_t index = 6, term = 4;
    uint32_t end = 6;
    R(entries_t) packed = {{&index, 1}, {&term, 1}, {&end, 1}, bytes("newest")};
    must(R(method_raft_log_replace_range_packed)(log, 6, &packed, &error));
    say("replaced %s", listed(log, 5, 9));

    R(log_id_t) to = {.term = 2, .index = 3};
    must(R(method_raft_log_purge)(log, &to, &error));
    say("purged to %s first %s", log_id(log), first(log));
    R(entry_t) purged = entry(4, 2, "");
    say("entry 2 is %s and writing it is %s", get(log, 2), refused(persist(log, &purged, 1)));

    R(own_sync_ticket_t) ticket;
    annals_log_types_token_t waited;
    R(option_token_t) polled;
    must(R(method_raft_log_begin_sync)(log, &ticket, &error));
    must(R(method_sync_ticket_wait)(R(borrow_sync_ticket)(ticket), &waited, &error));
    must(R(method_sync_ticket_poll)(R(borrow_sync_ticket)(ticket), &polled, &error));
    check(polled.is_some && same_token(waited, polled.val), "a ticket says the same again");
    R(sync_ticket_drop_own)(ticket);
    to = (R(log_id_t)){.term = 7, .index = 100};
    must(R(method_raft_log_purge)(log, &to, &error));
}

void use_raft_log(void) {
    R(own_raft_log_t) log;
    must(open_log(ANNALS_LOG_TYPES_MODE_CREATE, NULL, &log));
    log_t here = R(borrow_raft_log)(log);
    persist_and_read(here);
    replace_and_purge(here);
    annals_log_types_token_t token;
    must(R(method_raft_log_close)(here, &token, &error));
    R(option_entry_t) late;
    const char *closed = refused(R(method_raft_log_entry)(here, 4, &late, &error));
    say("closed, entry is %s durable %s", closed, yes(R(method_raft_log_is_write_durable)(here)));
    R(raft_log_drop_own)(log);

    must(open_log(ANNALS_LOG_TYPES_MODE_OPEN, &token, &log));
    here = R(borrow_raft_log)(log);
    say("opened again, last %" PRIu64 " boundary %s", last(here), log_id(here));
    R(option_hard_state_t) state;
    must(R(method_raft_log_load_hard_state)(here, &state, &error));
    check(state.is_some && state.val.vote.is_some, "a purge keeps the hard state");
    say("hard state %" PRIu64 " %s %s", state.val.term, number(state.val.vote), quoted(state.val.extra));
    must(R(method_raft_log_reset)(here, &error));
    R(entry_t) anew = entry(8, 1, "anew");
    must(persist(here, &anew, 1));
    must(R(method_raft_log_close)(here, &token, &error));
    R(raft_log_drop_own)(log);
    say("creating it is %s", refused(open_log(ANNALS_LOG_TYPES_MODE_CREATE, NULL, &log)));
    say("token %s", token_text(token));
}
