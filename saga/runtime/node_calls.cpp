// Which calls a node makes now, which of them alone, and which not any more.
#include <vector>

#include "saga/core/limits.hpp"
#include "saga/runtime/node.hpp"

namespace saga::runtime {

void Node::start_calls() {
    spare_calls();
    const bool may = ownership_.holds(now_) && link_.judged() && !worker_.catching_up() &&
                     !draining_ && now_ >= full_until_;
    const Time time = timeline_.now();
    if (!may || !next_call_ || *next_call_ > time) return;
    for (const std::int64_t call : store_.calls.due(time, running_.size() + core::kMaxAsked)) {
        if (suspect_) break;
        if (running_.contains(call)) continue;
        store::Calls::Row row = store_.calls.find(call).value();
        const detail::StepCode* step = core::find_step(contract_, row.step);
        if (step == nullptr) {  // for an operator
            answer_call(call, "this build has no step " + row.step, false);
            continue;
        }
        const detail::Code& code = row.part == core::Part::undo ? step->undo : step->code;
        if (caller_.room(code) == 0) break;
        if (worker_.careful_calls()) {
            const bool suspect = worker_.died_with(call);
            if (suspect && !counted_.empty()) break;
            if (!worker_.count_call(call)) {
                answer_call(call, "the process died each time that this call was made", true);
                continue;
            }
            counted_.emplace(call, now_);
            suspect_ = suspect;
        }
        start_call(std::move(row), code);
    }
}

void Node::start_call(store::Calls::Row row, const detail::Code& code) {
    const core::SagaRow saga = store_.sagas.find(row.saga);
    const EventId key =
        key_.id(saga.started, {contract_.service, saga.id, row.step, core::Role::call,
                               static_cast<std::uint32_t>(row.part), row.run});
    running_.insert(row.call);
    caller_.start({.call = row.call,
                   .code = &code,
                   .question = std::move(row.question),
                   .key = key.text(),
                   .attempt = row.attempts + 1});
}

/// In the place of an attempt that is not made.
void Node::answer_call(std::int64_t call, std::string why, bool last) {
    running_.insert(call);
    in_.answers.push_back({.call = call, .answer = {}, .why = std::move(why), .last = last});
    more_ = true;
}

void Node::answered_calls(std::span<const std::int64_t> calls) {
    for (const std::int64_t call : calls) {
        running_.erase(call);
        counted_.erase(call);
    }
    if (counted_.empty()) suspect_ = false;
}

/// What has been on its way for a while is silent, and no killer as far as anybody can tell.
void Node::spare_calls() {
    if (now_ < full_until_) return;
    std::vector<std::int64_t> spared;
    for (const auto& [call, since] : counted_)
        if (now_ - since >= core::kCallSurvives) spared.push_back(call);
    if (spared.empty()) return;
    worker_.survived(spared);
    for (const std::int64_t call : spared) counted_.erase(call);
    if (counted_.empty()) suspect_ = false;
}

}  // namespace saga::runtime
