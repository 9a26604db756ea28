// A guest in C: opens, writes and reads each of the logs, checks what it reads, and says what it did.
//
// Its arguments name the logs to use; without any it uses all of them. It expects to find none of them, and leaves one
// of each kind behind. The guest in Python does the same and says the same.

#include "common.h"

static const struct {
    const char *name;
    void (*use)(void);
} PARTS[] = {
    {"journal", use_journal},   {"event-log", use_event_log},   {"raft-log", use_raft_log},
    {"snapshot", use_snapshot}, {"change-log", use_change_log},
};

int main(int argc, char **argv) {
    for (size_t i = 0; i < LENGTH(PARTS); i++) {
        bool wanted = argc < 2;
        for (int arg = 1; arg < argc; arg++) wanted |= strcmp(argv[arg], PARTS[i].name) == 0;
        if (wanted) {
            part = PARTS[i].name;
            PARTS[i].use();
        }
    }
    return 0;
}
