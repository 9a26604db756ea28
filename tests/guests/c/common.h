// What the parts share: errors in words, bytes, packed items, tokens as text, and checks.
//
// Memory: arguments of calls are borrowed, so they may point anywhere; answers belong to the guest. This program is
// short, so it lets go of what is large and of handles, and leaves the rest to its end.

#ifndef COMMON_H
#define COMMON_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// The part that is running.
extern const char *part;

// The error of the last call that failed; all interfaces have the same.
extern annals_log_types_error_t error;

// As much as one read may return.
extern annals_log_types_limits_t all;

// A line about the part.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Ends the program, with exit code 1, if a call that must succeed failed.
void must(bool ok);

// The error of a call that must fail: its name in the contract, with the numbers that it carries.
const char *refused(bool ok);

// Ends the program if the claim does not hold.
void check(bool claim, const char *what);

// Text as the bytes of an argument, and as a name.
guest_list_u8_t bytes(const char *text);
guest_string_t name(const char *text);

// A text that stays.
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Both, with a space between if there is something before.
const char *joined(const char *before, const char *more);

// The number, or `none`.
const char *number(guest_option_u64_t value);

// Bytes, in quotes; packed items, each in quotes, with a space between.
const char *quoted(guest_list_u8_t value);
const char *items(guest_list_u32_t ends, guest_list_u8_t packed);

// One of packed items.
guest_list_u8_t item(guest_list_u32_t ends, guest_list_u8_t packed, size_t i);

// A token as the command takes it.
const char *token_text(annals_log_types_token_t token);

bool same_token(annals_log_types_token_t left, annals_log_types_token_t right);

// The parts.
void use_journal(void);
void use_event_log(void);
void use_raft_log(void);
void use_snapshot(void);
void use_change_log(void);

#endif
