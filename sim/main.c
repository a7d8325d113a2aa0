/* iskra-sim: runs worlds, each from its seed, each twice, and says what must not have happened.
 *
 * Workers are processes; each tells in shared memory which seed it is at, so that one that dies is
 * told with its seed, too. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef ISKRA_PLANTED_BUGS
#include "sim/plant.h"
#endif
#include "sim/sim.h"

#ifdef ISKRA_PLANTED_BUGS
#define PLANTED true
#else
#define PLANTED false
#endif

#define JOB_CNT 64u
#define SEED_S                                                                                     \
    120u /* real seconds, both runs; one takes some milliseconds, checked memory more              \
          */

struct job {
    pid_t pid;
    _Atomic(uint64_t) seed; /* that it is at */
    struct sim_marks marks;
};

/* What the workers share. */
struct shared {
    _Atomic(uint64_t) next;
    atomic_bool stop;
    struct job jobs[JOB_CNT];
};

static struct {
    uint64_t from, cnt;
    double seconds; /* 0: no limit */
    unsigned job_cnt;
    bool trace, marks, quiet;
} opt = {.from = 0, .cnt = 0, .job_cnt = 1};

static double now_s(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- one seed ---- */

struct result {
    bool ok;
    uint64_t hash;
};

static struct result run_once(struct sim *sim, uint64_t seed, bool words, FILE *print,
                              struct sim_marks *marks)
{
    memset(sim, 0, sizeof(*sim));
    sim_plan_draw(&sim->plan, seed);
    sim_record_init(&sim->record, &sim->clock, words, print);
    sim->marks = marks;
    sim->leaves_ruins = PLANTED;
    bool ok = sim_run(sim);
    return (struct result){ok, sim->record.hash};
}

static void tell_failure(struct sim *sim, uint64_t seed)
{
    printf("FAILED: seed %llu: %s\n", (unsigned long long)seed, sim->record.failure);
    fflush(stdout);
    if (sim->leaves_ruins)
        return;
    sim_record_done(&sim->record);
    (void)run_once(sim, seed, true, NULL, NULL); /* once more, to keep its words */
    sim_record_print_last(&sim->record, stdout);
    sim_plan_print(&sim->plan, stdout);
    printf("again: iskra-sim --seed %llu --trace\n", (unsigned long long)seed);
    printf("FAILED: seed %llu: %s\n", (unsigned long long)seed, sim->record.failure);
    fflush(stdout);
}

/* Twice: a run that depends on anything but its seed could not be looked into. */
static bool run_seed(struct sim *sim, uint64_t seed, struct sim_marks *marks)
{
    struct result first = run_once(sim, seed, opt.trace, opt.trace ? stdout : NULL, marks);
    if (!first.ok) {
        tell_failure(sim, seed);
        return false;
    }
    sim_record_done(&sim->record);
    struct result second = run_once(sim, seed, false, NULL, NULL);
    if (first.hash != second.hash) {
        printf("FAILED: seed %llu: two runs differ: %016llx, %016llx\n", (unsigned long long)seed,
               (unsigned long long)first.hash, (unsigned long long)second.hash);
        return false;
    }
    return true;
}

/* ---- workers ---- */

static int work(struct shared *shared, struct job *job, double end_s)
{
    struct sim *sim = malloc(sizeof(*sim));
    if (!sim)
        return 2;
    while (!shared->stop) {
        uint64_t i = atomic_fetch_add(&shared->next, 1);
        if ((opt.cnt > 0 && i >= opt.cnt) || (opt.seconds > 0 && now_s() >= end_s))
            break;
        job->seed = opt.from + i;
        (void)alarm(SEED_S); /* a loop without end dies of it */
        if (!run_seed(sim, opt.from + i, &job->marks)) {
            shared->stop = true;
            free(sim);
            return 1;
        }
    }
    free(sim);
    return 0;
}

static bool wait_for_workers(struct shared *shared)
{
    bool ok = true;
    for (unsigned i = 0; i < opt.job_cnt; i++) {
        int status = 0;
        while (waitpid(shared->jobs[i].pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        ok = false;
        shared->stop = true;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
            printf("FAILED: seed %llu: its process died (%s %d)\n",
                   (unsigned long long)shared->jobs[i].seed,
                   WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return ok;
}

static bool run_all(struct shared *shared)
{
    double begin_s = now_s(), end_s = begin_s + opt.seconds;
    fflush(stdout);
    for (unsigned i = 0; i < opt.job_cnt; i++) {
        pid_t pid = fork();
        if (pid == 0)
            exit(work(shared, &shared->jobs[i], end_s));
        shared->jobs[i].pid = pid;
    }
    bool ok = wait_for_workers(shared);
    struct sim_marks sum = {0};
    for (unsigned i = 0; i < opt.job_cnt; i++)
        sim_marks_add(&sum, &shared->jobs[i].marks);
    double took_s = now_s() - begin_s;
    if (opt.marks)
        sim_marks_print(&sum, stdout);
    printf("%llu seeds from %llu on, each run twice, in %.1f s: %.0f seeds/s; %llu requests, "
           "%llu connections: %s\n",
           (unsigned long long)sum.run_cnt, (unsigned long long)opt.from, took_s,
           (double)sum.run_cnt / took_s, (unsigned long long)sum.request_cnt,
           (unsigned long long)sum.conn_cnt, ok ? "all as it should be" : "FAILED");
    return ok;
}

/* ---- options ---- */

static void usage(FILE *to)
{
    fputs("iskra-sim: the library in a simulated world\n"
          "  --seed N           one seed (--trace: every event)\n"
          "  --seeds N          so many, from --from on\n"
          "  --from M           default 0; \"random\": drawn\n"
          "  --time S           for so many seconds\n"
          "  --jobs N           processes, default 1\n"
          "  --trace            print each event\n"
          "  --marks            which fault has met which state of a session\n"
#ifdef ISKRA_PLANTED_BUGS
          "  --plant NAME       with this bug; \"list\": which there are\n"
#endif
          "Exit: 0 all as it should be, 1 a failure (its seed is printed), 2 wrong usage.\n",
          to);
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (errno || end == text || *end) {
        fprintf(stderr, "iskra-sim: %s is not a number\n", text);
        exit(2);
    }
    return value;
}

static uint64_t random_seed(void)
{
    uint64_t seed = 1;
    (void)!getrandom(&seed, sizeof(seed), 0);
    return seed >> 16;
}

#ifdef ISKRA_PLANTED_BUGS
static void plant(const char *word)
{
    bool list = strcmp(word, "list") == 0;
    if (list)
        sim_plants_print(stdout);
    else if (!sim_plant(word))
        fprintf(stderr, "iskra-sim-planted: there is no bug %s\n", word);
    else
        return;
    exit(list ? 0 : 2);
}
#endif

static void options_parse(int argc, char **argv)
{
    static const struct option options[] = {
#ifdef ISKRA_PLANTED_BUGS
        {"plant", required_argument, NULL, 'p'},
#endif
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},
        {"time", required_argument, NULL, 't'},
        {"jobs", required_argument, NULL, 'j'},
        {"trace", no_argument, NULL, 'T'},
        {"marks", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 's':
            opt.from = number(optarg);
            opt.cnt = 1;
            break;
        case 'n':
            opt.cnt = number(optarg);
            break;
        case 'f':
            opt.from = strcmp(optarg, "random") == 0 ? random_seed() : number(optarg);
            break;
        case 't':
            opt.seconds = (double)number(optarg);
            break;
        case 'j':
            opt.job_cnt = (unsigned)number(optarg);
            break;
        case 'T':
            opt.trace = true;
            break;
        case 'm':
            opt.marks = true;
            break;
#ifdef ISKRA_PLANTED_BUGS
        case 'p':
            plant(optarg);
            break;
#endif
        default:
            usage(c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (opt.job_cnt < 1 || opt.job_cnt > JOB_CNT || optind < argc) {
        usage(stderr);
        exit(2);
    }
    if (opt.cnt == 0 && opt.seconds == 0)
        opt.cnt = 100;
}

int main(int argc, char **argv)
{
    options_parse(argc, argv);
    /* What one run gives back the next one takes, without asking the system each time. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fprintf(stderr, "iskra-sim: no memory\n");
        return 2;
    }
    return run_all(shared) ? 0 : 1;
}
