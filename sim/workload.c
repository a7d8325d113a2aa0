/* Requests and LUNs: see workload.h. What a request does is drawn in request.c. */
#include "sim/workload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/session.h>

#include "sim/request.h"
#include "sim/sim.h"

#define FAILED_MAX  3u
#define REST_MAX_NS (500 * SIM_MS)

void sim_workload_init(struct sim *sim)
{
    struct sim_workload *load = &sim->load;
    const struct sim_plan *plan = &sim->plan;
    load->data_len = (size_t)plan->max_blocks * plan->block_len;
    load->rest_ns = plan->think_ns;
    load->slots = calloc(plan->depth, sizeof(*load->slots));
    load->memory = malloc(plan->depth * sim_slot_memory_len(sim));
    for (unsigned i = 0; i < plan->depth; i++) {
        struct sim_slot *slot = &load->slots[i];
        slot->sim = sim;
        slot->number = i;
        slot->memory = load->memory + i * sim_slot_memory_len(sim);
        sim_slot_poison(slot);
    }
    for (unsigned i = 0; i < plan->handle_cnt; i++)
        load->handles[i] = (struct sim_handle){.sim = sim, .number = i};
}

void sim_workload_done(struct sim *sim)
{
    free(sim->load.memory);
    free(sim->load.slots);
}

void sim_workload_moved(struct sim *sim, const struct iovec *iov, int iov_cnt, const char *how)
{
    struct sim_workload *load = &sim->load;
    uintptr_t begin = (uintptr_t)load->memory, slot_len = sim_slot_memory_len(sim);
    for (int i = 0; i < iov_cnt && !sim->over; i++) {
        uintptr_t at = (uintptr_t)iov[i].iov_base;
        if (at < begin || at >= begin + sim->plan.depth * slot_len)
            continue;
        const struct sim_slot *slot = &load->slots[(at - begin) / slot_len];
        if (slot->state == SIM_SLOT_FREE)
            sim_fail(&sim->record, "slot %u: data are %s after done()", slot->number, how);
    }
}

uint64_t sim_workload_waits_ns(const struct sim *sim, const uint8_t *isid)
{
    uint64_t waits_ns = 0;
    for (unsigned i = 0; i < sim->plan.depth; i++) {
        const struct sim_slot *slot = &sim->load.slots[i];
        struct iskra_session_info info;
        if (slot->state != SIM_SLOT_OUT || slot->canceled ||
            slot->handle->state != SIM_HANDLE_OPEN ||
            sim->clock.now_ns - slot->submit_ns <= waits_ns)
            continue;
        iskra_session_info(slot->handle->lun, &info);
        if (memcmp(info.isid, isid, sizeof(info.isid)) == 0)
            waits_ns = sim->clock.now_ns - slot->submit_ns;
    }
    return waits_ns;
}

/* ---- when ---- */

static void later(struct sim_workload *load, uint64_t at_ns)
{
    if (at_ns < load->next_ns)
        load->next_ns = at_ns;
}

/* Something has ended: there is room, and time to look again. */
static void rest_end(struct sim *sim)
{
    sim->load.rest_ns = sim->plan.think_ns;
    later(&sim->load,
          sim->clock.now_ns + sim_random_range(&sim->load_random, 1, sim->plan.think_ns));
}

/* ---- LUNs ---- */

/* One that does not say who it is may be taken for another later: it is of no use. */
static void see_disk(struct sim_handle *handle)
{
    struct sim *sim = handle->sim;
    struct iskra_lun_info info;
    iskra_lun_info(handle->lun, &info);
    handle->disk = sim->plan.handle_lun[handle->number];
    if (!sim_plan_has(&sim->plan, SIM_FAULT_SWAP))
        return;
    handle->disk = sim_disk_by_serial(info.serial);
    if (handle->disk == SIM_DISK_CNT)
        handle->failed_cnt = FAILED_MAX;
}

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct sim_handle *handle = arg;
    struct sim *sim = handle->sim;
    sim_note(&sim->record, "opened", handle->number, (uint64_t)-status, 0);
    if (handle->state != SIM_HANDLE_OPENING && !sim->over)
        sim_fail(&sim->record, "an open has ended twice");
    handle->lun = lun;
    handle->state = lun ? SIM_HANDLE_OPEN : SIM_HANDLE_CLOSED;
    handle->failed_cnt = 0;
    rest_end(sim);
    if (lun)
        see_disk(handle);
    if (!lun) {
        sim_note_text(&sim->record, err->text);
        handle->retry_ns =
            sim->clock.now_ns + sim_random_range(&sim->load_random, SIM_MS, 500 * SIM_MS);
    }
}

static void lun_open(struct sim_handle *handle)
{
    struct sim *sim = handle->sim;
    struct iskra_error err = {0};
    handle->state = SIM_HANDLE_OPENING;
    sim_note(&sim->record, "open", handle->number, 0, 0);
    if (iskra_open(sim->ctx, sim->plan.urls[handle->number], opened, handle, &err) < 0) {
        handle->state = SIM_HANDLE_CLOSED;
        sim_fail(&sim->record, "iskra_open: %s", err.text);
    }
}

static void closed(void *arg)
{
    struct sim_handle *handle = arg;
    sim_note(&handle->sim->record, "closed", handle->number, 0, 0);
    if (handle->state != SIM_HANDLE_CLOSING && !handle->sim->over)
        sim_fail(&handle->sim->record, "a close has ended twice");
    handle->state = SIM_HANDLE_CLOSED;
}

/* Closing takes back what is still out, as cancelling does. */
static bool has_requests_out(const struct sim_handle *handle)
{
    const struct sim_workload *load = &handle->sim->load;
    for (unsigned i = 0; i < handle->sim->plan.depth; i++) {
        if (load->slots[i].state == SIM_SLOT_OUT && load->slots[i].handle == handle)
            return true;
    }
    return false;
}

static void lun_close(struct sim_handle *handle)
{
    struct iskra_lun *lun = handle->lun;
    handle->sim->wished |= has_requests_out(handle);
    sim_note(&handle->sim->record, "close", handle->number, 0, 0);
    handle->lun = NULL;
    handle->state = SIM_HANDLE_CLOSING;
    iskra_close(lun, closed, handle);
}

/* ---- requests ---- */

static void submit(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    slot->state = SIM_SLOT_OUT;
    slot->submit_ns = sim->clock.now_ns;
    sim->load.out++;
    sim->load.in_submit = true;
    int rc = iskra_submit(slot->handle->lun, &slot->io);
    sim->load.in_submit = false;
    if (rc == 0)
        return;
    sim_note(&sim->record, "refused", slot->number, (uint64_t)-rc, slot->io.op);
    /* Only what the LUN cannot do may be refused, and a device that grew or shrank. */
    if (rc != -EOPNOTSUPP && rc != -ENODEV && rc != -EROFS)
        sim_fail(&sim->record, "iskra_submit of operation %d: %d, %s", slot->io.op, rc,
                 slot->io.error.text);
    slot->state = SIM_SLOT_FREE;
    sim->load.out--;
    sim_request_refused(slot);
    sim_slot_poison(slot);
}

static struct sim_slot *slot_find(struct sim *sim, enum sim_slot_state state)
{
    unsigned cnt = sim->plan.depth, from = (unsigned)sim_random_below(&sim->load_random, cnt);
    for (unsigned i = 0; i < cnt; i++) {
        struct sim_slot *slot = &sim->load.slots[(from + i) % cnt];
        if (slot->state == state)
            return slot;
    }
    return NULL;
}

static struct sim_handle *handle_find(struct sim *sim)
{
    unsigned cnt = sim->plan.handle_cnt;
    unsigned from = (unsigned)sim_random_below(&sim->load_random, cnt);
    for (unsigned i = 0; i < cnt; i++) {
        struct sim_handle *handle = &sim->load.handles[(from + i) % cnt];
        if (handle->state == SIM_HANDLE_OPEN && handle->disk < SIM_DISK_CNT)
            return handle;
    }
    return NULL;
}

/* False: there is nothing to issue, or no place for it. */
static bool issue(struct sim *sim)
{
    if (sim->calm || sim->over || sim->load.issued >= sim->plan.io_cnt)
        return false;
    struct sim_handle *handle = handle_find(sim);
    struct sim_slot *slot = handle ? slot_find(sim, SIM_SLOT_FREE) : NULL;
    if (!slot)
        return false;
    sim->load.issued++;
    slot->handle = handle;
    slot->verifies = false;
    sim_slot_check(slot);
    sim_request_draw(slot);
    submit(slot);
    return true;
}

void sim_request_done(struct iskra_io *io)
{
    struct sim_slot *slot = iskra_container_of(io, struct sim_slot, io);
    struct sim *sim = slot->sim;
    struct sim_workload *load = &sim->load;
    sim_note(&sim->record, "done", slot->number, (uint64_t)-io->status, io->op);
    if (sim->over) {
        slot->state = SIM_SLOT_FREE;
        return;
    }
    if (load->in_submit)
        sim_fail(&sim->record, "done() from inside iskra_submit()");
    if (slot->state != SIM_SLOT_OUT) {
        sim_fail(&sim->record, "done() of a request that is not out: operation %d", io->op);
        return;
    }
    slot->state = SIM_SLOT_FREE;
    load->out--;
    load->ended++;
    slot->handle->failed_cnt = io->status < 0 && !slot->canceled ? slot->handle->failed_cnt + 1 : 0;
    sim_request_judge(slot);
    sim_slot_poison(slot);
    rest_end(sim);
    if (sim_random_chance(&sim->load_random, 4000))
        (void)issue(sim); /* a callback may submit */
}

static void cancel_one(struct sim *sim)
{
    struct sim_slot *slot = slot_find(sim, SIM_SLOT_OUT);
    if (!slot || slot->verifies)
        return;
    slot->canceled = true;
    int rc = iskra_cancel(&slot->io);
    sim->wished = true;
    sim_note(&sim->record, "cancel", slot->number, (uint64_t)-rc, slot->io.op);
    if (rc < 0 && rc != -EALREADY)
        sim_fail(&sim->record, "iskra_cancel: %d", rc);
}

static void detach_one(struct sim *sim)
{
    struct sim_slot *slot = slot_find(sim, SIM_SLOT_OUT);
    if (!slot || slot->verifies)
        return;
    int rc = iskra_detach(&slot->io);
    sim->wished = true;
    sim_note(&sim->record, "detach", slot->number, (uint64_t)-rc, slot->io.op);
    if (rc < 0)
        return;
    slot->state = SIM_SLOT_FREE;
    sim->load.out--;
    sim->load.ended++;
    sim_request_detached(slot);
    sim_slot_poison(slot);
}

/* ---- steps ---- */

static void handles_step(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.handle_cnt; i++) {
        struct sim_handle *handle = &sim->load.handles[i];
        bool wanted = !handle->verified;
        bool tired = handle->failed_cnt >= FAILED_MAX;
        if (handle->state == SIM_HANDLE_CLOSED && wanted) {
            if (sim->clock.now_ns >= handle->retry_ns)
                lun_open(handle);
            else
                later(&sim->load, handle->retry_ns);
        } else if (handle->state == SIM_HANDLE_OPEN && (!wanted || tired)) {
            lun_close(handle);
        }
    }
}

static void load_step(struct sim *sim)
{
    struct sim_random *random = &sim->load_random;
    unsigned burst = (unsigned)sim_random_range(random, 1, 1 + sim->plan.depth / 4);
    bool issued = false;
    while (burst-- > 0 && issue(sim))
        issued = true;
    if (sim_random_chance(random, sim->plan.cancel))
        cancel_one(sim);
    if (sim_random_chance(random, sim->plan.detach))
        detach_one(sim);
    if (sim_random_chance(random, sim->plan.reopen)) {
        struct sim_handle *handle = handle_find(sim);
        if (handle)
            lun_close(handle);
    }
    uint64_t rest_ns = sim->load.rest_ns;
    sim->load.rest_ns = issued ? sim->plan.think_ns : rest_ns < REST_MAX_NS ? 2 * rest_ns : rest_ns;
    later(&sim->load, sim->clock.now_ns + sim_random_range(random, 1, sim->load.rest_ns));
}

/* The faults are over, what was out has ended: each LUN is read, from one end to the other. */
static void verify_step(struct sim *sim)
{
    if (sim->load.out > 0)
        return;
    for (unsigned i = 0; i < sim->plan.handle_cnt; i++) {
        struct sim_handle *handle = &sim->load.handles[i];
        if (handle->state != SIM_HANDLE_OPEN || handle->verified ||
            handle->failed_cnt >= FAILED_MAX)
            continue;
        struct sim_slot *slot = slot_find(sim, SIM_SLOT_FREE);
        slot->handle = handle;
        slot->verifies = true;
        sim_slot_check(slot);
        sim_request_verify(slot);
        submit(slot);
        return;
    }
}

void sim_workload_step(struct sim *sim)
{
    uint64_t due_ns = sim->load.next_ns;
    sim->load.next_ns = SIM_NEVER;
    handles_step(sim);
    if (sim->calm)
        verify_step(sim);
    else if (sim->clock.now_ns >= due_ns || due_ns == SIM_NEVER)
        load_step(sim);
    else
        later(&sim->load, due_ns);
}

bool sim_workload_finished(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.handle_cnt; i++) {
        const struct sim_handle *handle = &sim->load.handles[i];
        if (!handle->verified || handle->state != SIM_HANDLE_CLOSED)
            return false;
    }
    return sim->load.out == 0;
}
