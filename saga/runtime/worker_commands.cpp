// A client's command: one event in the outbox, and a memory of the answer.
#include <fmt/format.h>

#include <algorithm>

#include "saga/core/payload_rules.hpp"
#include "saga/core/text.hpp"
#include "saga/core/verbs.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/runtime/worker.hpp"

namespace saga::runtime {
namespace {

std::string accepted(std::string_view saga, std::string_view event, const EventId& id) {
    // Names and ids need no escapes.
    return fmt::format(R"({{"accepted":{{"event":"{}","id":"{}","saga":"{}"}}}})", event, id.text(),
                       saga);
}

}  // namespace

void Worker::apply(const Request* request) {
    const auto command =
        std::find_if(contract_.commands.begin(), contract_.commands.end(),
                     [&](const detail::CommandCode& each) { return each.verb == request->verb; });
    if (command != contract_.commands.end()) {
        replies_.push_back(this->command(*command, *request));
        ++counts_.commands;
        return;
    }
    const auto undoing =
        std::find_if(contract_.commands.begin(), contract_.commands.end(),
                     [](const detail::CommandCode& each) { return each.asks_undo; });
    if (request->verb == core::kUndoVerb.name && undoing != contract_.commands.end())
        return replies_.push_back(undo(*undoing, *request));
    core::SagaState state;
    std::string json = operate(store_, executor_, subscription_.shard(), *request, state, now_);
    replies_.push_back({request->token, std::move(json)});
}

/// An operator asks as a client would, and the stream says that it was one, and why. Whoever has
/// asked before, with whatever else in the body, has asked for the same.
Reply Worker::undo(const detail::CommandCode& command, const Request& request) {
    const UndoAsked asked = read_undo(request.body);
    core::SagaState state = store_.load(asked.saga);
    auto known = store_.commands.find(state.row.key, command.verb);
    Reply reply{request.token, {}};
    if (known) {
        reply.json = accepted(asked.saga, known->event, known->event_id);
    } else {
        reply = this->command(command, {command.verb, command.bare(asked.saga), request.token});
        if (reply.json.starts_with(kRefused)) return reply;
        state = store_.load(asked.saga);
        known = store_.commands.find(state.row.key, command.verb);
        SAGA_ASSERT(known.has_value());
    }
    begin(state, {.cause = known->event_id, .time = now_});
    executor_.publish_operation(asked.saga, undo_word(command.verb, known->event_id, asked.reason));
    return reply;
}

Reply Worker::command(const detail::CommandCode& command, const Request& request) {
    const auto answer = [&](std::string json) { return Reply{request.token, std::move(json)}; };
    if (!core::is_sound(*command.request, request.body))
        return answer(refused(
            "malformed", fmt::format("the request is no sound {} table", command.request->full)));
    const std::string saga_id = command.key(request.body);
    if (!core::is_saga_id(saga_id))
        return answer(refused("invalid", "the key of a command is 1 to 64 of A-Z a-z 0-9 _ -"));
    core::SagaState state = store_.load(saga_id);
    const EventId fingerprint = key_.digest(request.verb, command.canonical(request.body));
    if (state.row.key == 0) {
        state.row.started = now_;
    } else if (const auto known = store_.commands.find(state.row.key, request.verb)) {
        return answer(known->fingerprint == fingerprint
                          ? accepted(saga_id, known->event, known->event_id)
                          : refused("conflict", fmt::format("{} was asked of {} before, with "
                                                            "another body",
                                                            request.verb, saga_id)));
    }
    std::variant<detail::Emitted, Refused> verdict;
    try {
        HandlerPort port(contract_, store_, state, now_, Locking::none);
        verdict = command.run(View(port), request.body);
        if (const auto* event = std::get_if<detail::Emitted>(&verdict))
            core::require_sound(*event->type, event->payload);
    } catch (const store::DiskFull&) {
        throw;
    } catch (const store::Broken&) {
        throw;
    } catch (const std::exception& thrown) {
        return answer(refused("failed", thrown.what()));
    } catch (...) {
        return answer(refused("failed", "the handler threw something that is no std::exception"));
    }
    if (const auto* no = std::get_if<Refused>(&verdict)) return answer(refused(no->code, no->why));
    const detail::Emitted& event = std::get<detail::Emitted>(verdict);
    begin(state, {});
    if (state.row.key == 0) executor_.know(state.row);
    const EventId id = executor_.publish_command(command, event, fingerprint);
    store_.commands.insert(state.row.key, request.verb,
                           {fingerprint, id, std::string(event.type->name)});
    if (command.ends_saga && state.row.ended_by.empty()) {
        state.row.ended_by = event.type->name;
        executor_.mark(state.row);
    }
    store_.keep(std::move(state));
    return answer(accepted(saga_id, event.type->name, id));
}

}  // namespace saga::runtime
