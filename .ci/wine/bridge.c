/* A Windows program under Wine that runs a program of the Linux machine below it, PROGRAM, in its place: git and Python, which cannot be
 * had for Windows there. With SCRIPT that is its first argument, and BRIDGE in its environment the name of this program. Standard input,
 * output and error are passed on, paths of drives become those of the machine, and neither outlives the other. Wine lets such a program
 * make calls of Linux. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum { READ = 0, WRITE = 1, CLOSE = 3, SIGACTION = 13, SIGPROCMASK = 14, DUP2 = 33, FORK = 57, EXECVE = 59, EXIT = 60, WAIT4 = 61,
    KILL = 62, CHDIR = 80, PRCTL = 157, PIPE2 = 293 };
enum { EINTR_ = -4, SIGINT_ = 2, SIGKILL_ = 9, SIGPIPE_ = 13, SIGTERM_ = 15, PDEATHSIG = 1, CLOEXEC = 02000000 };

static int64_t call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d) {
    int64_t result;
    register int64_t r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

static char *utf8(const WCHAR *text) {
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *made = malloc(size);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, made, size, NULL, NULL);
    return made;
}

/* Every `Z:\a\b`, `\\?\Z:\a` and `C:/a` in a text as the machine writes it. */
static char *unix_paths(const char *text) {
    const char *prefix = getenv("WINEPREFIX");
    size_t room = strlen(text) + 1, done = 0;
    char *made = malloc(room + 16 * (strlen(prefix ? prefix : "") + 16));
    int in_path = 0;
    for (const char *at = text; *at;) {
        const char *drive = strncmp(at, "\\\\?\\", 4) == 0 ? at + 4 : at;
        int letter = *drive | 32;
        int begins = at == text || !strchr("abcdefghijklmnopqrstuvwxyz", at[-1] | 32);
        /* One that was turned into the machine's already, and came back from there. */
        if (at - text >= 11 && strncmp(at - 11, "dosdevices/", 11) == 0) begins = 0;
        if (begins && letter >= 'a' && letter <= 'z' && drive[1] == ':' && (drive[2] == '\\' || drive[2] == '/') && drive[3] != '/') {
            if (letter != 'z') done += sprintf(made + done, "%s/dosdevices/%c:", prefix ? prefix : "", letter);
            made[done++] = '/';
            /* file:///Z:/a has one too many already. */
            if (done > 1 && made[done - 2] == '/') done--;
            at = drive + 3;
            in_path = 1;
            continue;
        }
        if (*at == ';' || *at == '\n' || *at == '"') in_path = 0;
        made[done++] = in_path && *at == '\\' ? '/' : *at;
        at++;
    }
    made[done] = 0;
    return made;
}

static int64_t child;

static BOOL WINAPI on_break(DWORD event) {
    call(KILL, child, event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT ? SIGINT_ : SIGTERM_, 0, 0);
    return TRUE;
}

struct Flow { HANDLE windows; int64_t unix_end; };

static DWORD WINAPI pass_in(void *given) {
    struct Flow *flow = given;
    char bytes[65536];
    DWORD got;
    while (ReadFile(flow->windows, bytes, sizeof bytes, &got, NULL) && got > 0) {
        for (DWORD sent = 0; sent < got;) {
            int64_t step = call(WRITE, flow->unix_end, (int64_t)(bytes + sent), got - sent, 0);
            if (step == EINTR_) continue;
            if (step <= 0) return 0;
            sent += step;
        }
    }
    call(CLOSE, flow->unix_end, 0, 0, 0);
    return 0;
}

static DWORD WINAPI pass_out(void *given) {
    struct Flow *flow = given;
    char bytes[65536];
    for (;;) {
        int64_t got = call(READ, flow->unix_end, (int64_t)bytes, sizeof bytes, 0);
        if (got == EINTR_) continue;
        if (got <= 0) return 0;
        for (DWORD sent = 0, step; sent < (DWORD)got; sent += step) {
            if (!WriteFile(flow->windows, bytes + sent, (DWORD)got - sent, &step, NULL)) {
                /* Nobody reads it any more; the writer is told. */
                call(CLOSE, flow->unix_end, 0, 0, 0);
                return 0;
            }
        }
    }
}

int main(void) {
    int count;
    WCHAR **words = CommandLineToArgvW(GetCommandLineW(), &count);
    char **arguments = calloc(count + 2, sizeof *arguments);
    int first = 0;
    arguments[first++] = PROGRAM;
#ifdef SCRIPT
    arguments[first++] = SCRIPT;
#endif
    for (int i = 1; i < count; i++) arguments[first++] = unix_paths(utf8(words[i]));

    WCHAR *block = GetEnvironmentStringsW();
    size_t size = 0, variables = 0;
    for (WCHAR *at = block; *at; at += wcslen(at) + 1) size++;
    char **environment = calloc(size + 3, sizeof *environment);
    WCHAR own[32768];
    GetModuleFileNameW(NULL, own, 32768);
    char *bridge = utf8(own);
    environment[variables] = malloc(strlen(bridge) + 8);
    sprintf(environment[variables++], "BRIDGE=%s", bridge);
    for (WCHAR *at = block; *at; at += wcslen(at) + 1) {
        char *line = unix_paths(utf8(at));
        if (*line == '=' || _strnicmp(line, "PATH=", 5) == 0 || _strnicmp(line, "BRIDGE=", 7) == 0) continue;
        environment[variables++] = _strnicmp(line, "UNIX_PATH=", 10) == 0 ? line + 5 : line;
    }

    WCHAR here[32768];
    GetCurrentDirectoryW(32768, here);
    char *folder = unix_paths(utf8(here));

    /* Ends of pipes: the child's, then ours. */
    int in[2], out[2], err[2];
    if (call(PIPE2, (int64_t)in, CLOEXEC, 0, 0) | call(PIPE2, (int64_t)out, CLOEXEC, 0, 0) | call(PIPE2, (int64_t)err, CLOEXEC, 0, 0)) return 126;
    child = call(FORK, 0, 0, 0, 0);
    if (child == 0) {
        uint64_t none = 0;
        struct { void *handler; uint64_t flags; void *restorer; uint64_t mask; } standard = {0};
        call(PRCTL, PDEATHSIG, SIGKILL_, 0, 0);
        call(SIGACTION, SIGPIPE_, (int64_t)&standard, 0, 8);
        call(SIGACTION, SIGINT_, (int64_t)&standard, 0, 8);
        call(SIGPROCMASK, 2, (int64_t)&none, 0, 8);
        call(DUP2, in[0], 0, 0, 0);
        call(DUP2, out[1], 1, 0, 0);
        call(DUP2, err[1], 2, 0, 0);
        if (call(CHDIR, (int64_t)folder, 0, 0, 0) == 0) call(EXECVE, (int64_t)PROGRAM, (int64_t)arguments, (int64_t)environment, 0);
        call(EXIT, 127, 0, 0, 0);
    }
    if (child < 0) return 126;
    SetConsoleCtrlHandler(NULL, FALSE);
    SetConsoleCtrlHandler(on_break, TRUE);
    call(CLOSE, in[0], 0, 0, 0);
    call(CLOSE, out[1], 0, 0, 0);
    call(CLOSE, err[1], 0, 0, 0);
    struct Flow flows[3] = {
        {GetStdHandle(STD_INPUT_HANDLE), in[1]}, {GetStdHandle(STD_OUTPUT_HANDLE), out[0]}, {GetStdHandle(STD_ERROR_HANDLE), err[0]}};
    HANDLE threads[2];
    CreateThread(NULL, 1 << 20, pass_in, &flows[0], 0, NULL);
    threads[0] = CreateThread(NULL, 1 << 20, pass_out, &flows[1], 0, NULL);
    threads[1] = CreateThread(NULL, 1 << 20, pass_out, &flows[2], 0, NULL);
    int status = 0;
    while (call(WAIT4, child, (int64_t)&status, 0, 0) == EINTR_) {}
    /* What it left behind may hold the pipes; its own words are through by then. */
    WaitForMultipleObjects(2, threads, TRUE, 2000);
    ExitProcess(status & 0x7f ? 0xC000013A : (status >> 8) & 0xff);
}
