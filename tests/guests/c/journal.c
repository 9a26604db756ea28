// The journal.

#include "common.h"

#define J(name) annals_log_journal_##name

static annals_log_journal_options_t options(annals_log_types_mode_t mode) {
    return (annals_log_journal_options_t){.mode = mode, .items_per_section = {.is_some = true, .val = 2}};
}

static bool open_log(annals_log_journal_options_t options, annals_log_journal_own_journal_t *log) {
    guest_string_t called = name("journal");
    return J(static_journal_open)(&called, &options, log, &error);
}

static uint64_t append(annals_log_journal_borrow_journal_t log, const char *text) {
    guest_list_u8_t item = bytes(text);
    uint64_t position;
    must(J(method_journal_append)(log, &item, &position, &error));
    return position;
}

static const char *append_refused(annals_log_journal_borrow_journal_t log) {
    guest_list_u8_t item = bytes("late");
    uint64_t position;
    return refused(J(method_journal_append)(log, &item, &position, &error));
}

static void write_and_read(annals_log_journal_borrow_journal_t log) {
    uint64_t first = append(log, "one"), second, third, size, boundary;
    guest_list_u8_t two[] = {bytes("two"), bytes("three")};
    guest_list_list_u8_t batch = {two, LENGTH(two)};
    must(J(method_journal_append_batch)(log, &batch, &second, &error));
    uint32_t ends[] = {0, 4};
    guest_list_u32_t packed_ends = {ends, LENGTH(ends)};
    guest_list_u8_t packed = bytes("five");
    must(J(method_journal_append_packed)(log, &packed_ends, &packed, &third, &error));
    say("appended at %" PRIu64 " %" PRIu64 " %" PRIu64, first, second, third);

    guest_option_u64_t oldest;
    must(J(method_journal_size)(log, &size, &error));
    must(J(method_journal_oldest)(log, &oldest, &error));
    must(J(method_journal_boundary)(log, &boundary, &error));
    say("size %" PRIu64 " oldest %s boundary %" PRIu64, size, number(oldest), boundary);

    guest_list_u8_t item;
    must(J(method_journal_read)(log, 2, &item, &error));
    say("item 2 is %s", quoted(item));
    uint64_t positions[] = {4, 0};
    guest_list_u64_t wanted = {positions, LENGTH(positions)};
    annals_log_journal_items_t some;
    must(J(method_journal_read_many)(log, &wanted, 1 << 20, &some, &error));
    check(some.ids.len == 2, "read-many");
    say("items %" PRIu64 " %" PRIu64 " are %s", some.ids.ptr[0], some.ids.ptr[1], items(some.ends, some.bytes));
    annals_log_journal_batch_t range;
    must(J(method_journal_read_range)(log, 3, &all, &range, &error));
    say("from %" PRIu64 " on there are %s", range.first, items(range.ends, range.bytes));
}

static void be_refused(annals_log_journal_borrow_journal_t log) {
    guest_list_u8_t item;
    guest_list_list_u8_t none = {NULL, 0};
    uint64_t position;
    annals_log_journal_own_journal_t second;
    say("read 9 is %s", refused(J(method_journal_read)(log, 9, &item, &error)));
    say("rewind to 9 is %s", refused(J(method_journal_rewind)(log, 9, &error)));
    say("an empty batch is %s", refused(J(method_journal_append_batch)(log, &none, &position, &error)));
    say("a second writer is %s", refused(open_log(options(ANNALS_LOG_TYPES_MODE_OPEN), &second)));
}

static void prune_and_rewind(annals_log_journal_borrow_journal_t log) {
    annals_log_journal_own_sync_ticket_t ticket;
    must(J(method_journal_begin_sync)(log, &ticket, &error));
    annals_log_types_token_t waited;
    annals_log_journal_option_token_t polled;
    must(J(method_sync_ticket_wait)(J(borrow_sync_ticket)(ticket), &waited, &error));
    must(J(method_sync_ticket_poll)(J(borrow_sync_ticket)(ticket), &polled, &error));
    check(polled.is_some && same_token(waited, polled.val), "a ticket says the same again");
    J(sync_ticket_drop_own)(ticket);

    bool pruned;
    uint64_t boundary;
    guest_option_u64_t oldest;
    must(J(method_journal_prune)(log, 3, &pruned, &error));
    must(J(method_journal_boundary)(log, &boundary, &error));
    must(J(method_journal_oldest)(log, &oldest, &error));
    say("pruned %s boundary %" PRIu64 " oldest %s", pruned ? "yes" : "no", boundary, number(oldest));
    guest_list_u8_t item;
    say("read 1 is %s", refused(J(method_journal_read)(log, 1, &item, &error)));

    must(J(method_journal_rewind)(log, 4, &error));
    annals_log_journal_own_reader_t reader;
    must(J(method_journal_replay)(log, 2, &reader, &error));
    annals_log_journal_option_batch_t batch, end;
    must(J(method_reader_next)(J(borrow_reader)(reader), &all, &batch, &error));
    must(J(method_reader_next)(J(borrow_reader)(reader), &all, &end, &error));
    check(batch.is_some && !end.is_some, "a reader ends");
    say("replayed from %" PRIu64 " %s", batch.val.first, items(batch.val.ends, batch.val.bytes));
    J(reader_drop_own)(reader);
    say("appended at %" PRIu64, append(log, "again"));
}

void use_journal(void) {
    annals_log_journal_own_journal_t log;
    must(open_log(options(ANNALS_LOG_TYPES_MODE_CREATE), &log));
    annals_log_journal_borrow_journal_t here = J(borrow_journal)(log);
    write_and_read(here);
    be_refused(here);
    prune_and_rewind(here);
    annals_log_types_token_t token;
    must(J(method_journal_close)(here, &token, &error));
    say("closed, append is %s", append_refused(here));
    J(journal_drop_own)(log);

    annals_log_journal_options_t again = options(ANNALS_LOG_TYPES_MODE_READ_ONLY);
    again.expect = (annals_log_journal_option_token_t){.is_some = true, .val = token};
    must(open_log(again, &log));
    here = J(borrow_journal)(log);
    guest_list_u8_t item;
    must(J(method_journal_read)(here, 4, &item, &error));
    say("read only, item 4 is %s and append is %s", quoted(item), append_refused(here));
    J(journal_drop_own)(log);

    again.expect.val.frame++;
    say("a later token is %s", refused(open_log(again, &log)));
    guest_string_t another = name("another");
    say("destroying another is %s", refused(J(destroy)(&another, &error)));
    say("token %s", token_text(token));
}
