// The event log.

#include "common.h"

#define E(name) annals_log_event_log_##name

typedef E(borrow_event_log_t) log_t;

static bool open_log(annals_log_types_mode_t mode, const annals_log_types_token_t *expect, E(own_event_log_t) * log) {
    E(options_t) options = {.mode = mode, .policy = ANNALS_LOG_EVENT_LOG_POLICY_FLUSHED};
    if (expect) {
        options.expect.is_some = true;
        options.expect.val = *expect;
    }
    guest_string_t called = name("events");
    return E(static_event_log_open)(&called, &options, log, &error);
}

static const char *word(E(outcome_t) outcome) {
    return outcome == ANNALS_LOG_EVENT_LOG_OUTCOME_APPENDED ? "appended" : "duplicate";
}

static bool append(log_t log, uint64_t id, const char *text, E(outcome_t) * outcome) {
    guest_list_u8_t event = bytes(text);
    return E(method_event_log_append_with_id)(log, id, &event, outcome, &error);
}

static const char *appended(log_t log, uint64_t id, const char *text) {
    E(outcome_t) outcome;
    must(append(log, id, text, &outcome));
    return word(outcome);
}

static const char *append_refused(log_t log, uint64_t id, const char *text) {
    E(outcome_t) outcome;
    return refused(append(log, id, text, &outcome));
}

static const char *get(log_t log, uint64_t id) {
    guest_option_list_u8_t event;
    must(E(method_event_log_get)(log, id, &event, &error));
    return event.is_some ? quoted(event.val) : "none";
}

// All events of a reader, which it drops, each as `ID EVENT`.
static const char *listed(E(own_reader_t) reader) {
    const char *list = "";
    for (;;) {
        E(option_items_t) some;
        must(E(method_reader_next)(E(borrow_reader)(reader), &all, &some, &error));
        if (!some.is_some) break;
        for (size_t i = 0; i < some.val.ids.len; i++) {
            guest_list_u8_t event = item(some.val.ends, some.val.bytes, i);
            list = joined(list, text("%" PRIu64 " %s", some.val.ids.ptr[i], quoted(event)));
        }
    }
    E(reader_drop_own)(reader);
    return list;
}

static const char *iterated(log_t log, uint64_t start, uint64_t *end) {
    E(own_reader_t) reader;
    must(E(method_event_log_iterate)(log, start, end, &reader, &error));
    return listed(reader);
}

static void append_and_read(log_t log) {
    say("the first event is %s", appended(log, 10, "ten"));
    say("the same again is %s", appended(log, 10, "ten"));
    say("another one there is %s", append_refused(log, 10, "eleven"));
    guest_list_u8_t events[] = {bytes("a"), bytes("b"), bytes("c")};
    guest_list_list_u8_t batch = {events, LENGTH(events)};
    E(outcome_t) outcome;
    must(E(method_event_log_append_batch_with_ids)(log, 20, &batch, &outcome, &error));
    say("a batch is %s", word(outcome));
    uint32_t ends[] = {1, 2};
    guest_list_u32_t packed_ends = {ends, LENGTH(ends)};
    guest_list_u8_t packed = bytes("cd");
    must(E(method_event_log_append_packed_with_ids)(log, 22, &packed_ends, &packed, &outcome, &error));
    say("one that overlaps it is %s", word(outcome));
    say("a late one is %s", appended(log, 15, "late"));

    uint64_t next;
    guest_option_u64_t oldest, newest;
    must(E(method_event_log_next_event_id)(log, &next, &error));
    must(E(method_event_log_oldest_event_id)(log, &oldest, &error));
    must(E(method_event_log_newest_event_id)(log, &newest, &error));
    say("next %" PRIu64 " oldest %s newest %s", next, number(oldest), number(newest));
    say("event 15 is %s and event 16 is %s", get(log, 15), get(log, 16));
    uint64_t end = 22;
    say("from 11 to 22 there are %s", iterated(log, 11, &end));
    batch.len = 0;
    say("an empty batch is %s", refused(E(method_event_log_append_batch_with_ids)(log, 30, &batch, &outcome, &error)));
}

static void delete_and_sync(log_t log) {
    uint64_t deleted;
    must(E(method_event_log_delete_range)(log, 20, 21, &deleted, &error));
    say("deleted %" PRIu64, deleted);
    say("a deleted id is %s", append_refused(log, 21, "b"));
    say("there remain %s", iterated(log, 0, NULL));

    E(own_sync_ticket_t) ticket;
    annals_log_types_token_t waited;
    E(option_token_t) polled;
    must(E(method_event_log_begin_sync)(log, &ticket, &error));
    must(E(method_sync_ticket_wait)(E(borrow_sync_ticket)(ticket), &waited, &error));
    must(E(method_sync_ticket_poll)(E(borrow_sync_ticket)(ticket), &polled, &error));
    check(polled.is_some && same_token(waited, polled.val), "a ticket says the same again");
    E(sync_ticket_drop_own)(ticket);
}

static void rotate(log_t log) {
    guest_string_t archive, none;
    must(E(method_event_log_rotate)(log, &archive, &error));
    say("rotating an empty file is %s", refused(E(method_event_log_rotate)(log, &none, &error)));
    E(own_reader_t) reader;
    must(E(open_archive)(&archive, &reader, &error));
    say("the archive holds %s", listed(reader));
    appended(log, 30, "thirty");
    E(stats_t) stats;
    must(E(method_event_log_stats)(log, &stats, &error));
    say("events %" PRIu64 " oldest %s newest %s files %" PRIu32, stats.events, number(stats.oldest),
        number(stats.newest), stats.files);
}

void use_event_log(void) {
    E(own_event_log_t) log;
    must(open_log(ANNALS_LOG_TYPES_MODE_CREATE, NULL, &log));
    log_t here = E(borrow_event_log)(log);
    append_and_read(here);
    delete_and_sync(here);
    rotate(here);
    annals_log_types_token_t token;
    must(E(method_event_log_close)(here, &token, &error));
    guest_option_list_u8_t event;
    say("closed, get is %s", refused(E(method_event_log_get)(here, 10, &event, &error)));
    E(event_log_drop_own)(log);

    must(open_log(ANNALS_LOG_TYPES_MODE_READ_ONLY, &token, &log));
    here = E(borrow_event_log)(log);
    say("read only, event 30 is %s and append is %s", get(here, 30), append_refused(here, 40, "no"));
    E(event_log_drop_own)(log);
    guest_string_t journal = name("journal");
    say("a journal of that name is %s", refused(E(destroy)(&journal, &error)));
    say("token %s", token_text(token));
}
