#include <stdio.h>
#include "guest.h"
int main(int argc, char **argv) { printf("hello %d %s\n", argc, argv[0]);
 guest_string_t name; guest_string_set(&name, "c");
 annals_log_journal_options_t options = {.mode = ANNALS_LOG_TYPES_MODE_OPEN_OR_CREATE};
 annals_log_journal_own_journal_t log; annals_log_journal_error_t error;
 if (!annals_log_journal_static_journal_open(&name, &options, &log, &error)) return 1;
 return 0; }
