#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <saga/service.hpp>
#include <set>

#include "saga/core/saga.hpp"
#include "saga/core/text.hpp"
#include "saga/core/verbs.hpp"

namespace saga {
namespace detail {

void assertion_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: a bug in the engine: %s does not hold\n", file, line, condition);
    std::abort();
}

void wrong_column(std::size_t index, const char* wanted) {
    throw Error("column " + std::to_string(index + 1) + " is not " + wanted);
}

void too_few_columns(std::size_t wanted, std::size_t found) {
    throw Error("the query yields " + std::to_string(found) + " columns, not " +
                std::to_string(wanted));
}

}  // namespace detail

namespace {

void require_name(const char* what, const std::string& name) {
    detail::require(core::is_name(name), what, name);
}

/// An event belongs to the service that its schema's last namespace names.
void require_own(const std::string& service, std::span<const detail::Emits> emits) {
    for (const detail::Emits& each : emits) {
        const std::string full(each.type->full);
        detail::require(core::is_type(full), "an event's name has 64 characters at most: ", full);
        detail::require(each.type->owner == service,
                        "an event is published by the service that its namespace names: ",
                        std::string(full).append(", by ").append(service));
    }
}

bool is_engine_verb(std::string_view verb) {
    const auto in = [&](const auto& verbs) {
        return std::ranges::find(verbs, verb, &core::Verb::name) != verbs.end();
    };
    return in(core::kReadVerbs) || in(core::kActVerbs) || verb == core::kUndoVerb.name ||
           verb == core::kBackupVerb.name;
}

void require_verb(const Contract& contract, const std::string& verb) {
    require_name("a verb is [a-z][a-z0-9_]*: ", verb);
    const auto same = [&](const auto& each) { return each.verb == verb; };
    detail::require(!is_engine_verb(verb) &&
                        std::none_of(contract.commands.begin(), contract.commands.end(), same) &&
                        std::none_of(contract.questions.begin(), contract.questions.end(), same),
                    "two answers to one verb: ", verb);
}

}  // namespace

namespace {

/// Failures, answers and what was read are known by an event's plain name.
void require_plain_names(const Contract& contract) {
    std::map<std::string_view, std::string_view> known;
    const auto note = [&](detail::Type type) {
        const auto [at, fresh] = known.emplace(type->name, type->full);
        detail::require(fresh || at->second == type->full,
                        "an event's name is unique in its landscape: ",
                        std::string(at->second) + " and " + std::string(type->full));
    };
    for (const detail::StepCode& step : contract.steps) {
        for (const auto& types : {step.starts_on, step.undone_on})
            for (const detail::Type type : types) note(type);
        for (const auto& all : {step.emits, step.undone})
            for (const detail::Emits& each : all) note(each.type);
        for (const detail::Expects& expects : step.expects) {
            for (const detail::Type answer : expects.answers) note(answer);
            for (const detail::Emits& each : expects.asks) note(each.type);
        }
    }
    for (const detail::ReactionCode& reaction : contract.reactions) note(reaction.on);
    for (const detail::CommandCode& command : contract.commands) note(command.accepts);
}

void require_one_undo(const Contract& contract) {
    const auto asks = std::count_if(contract.commands.begin(), contract.commands.end(),
                                    [](const auto& each) { return each.asks_undo; });
    detail::require(asks <= 1, "one command of a service asks for an undo: ", contract.service);
    for (const detail::CommandCode& command : contract.commands)
        detail::require(!command.asks_undo || !command.ends_saga,
                        "a command that ends its saga asks for no undo: ", command.verb);
}

void require_apart(const detail::StepCode& step) {
    std::set<std::uint32_t> deadlines;
    for (std::size_t nth = 0; nth < step.expects.size(); ++nth)
        detail::require(
            deadlines.insert(core::deadline_of(step, nth)).second,
            "two expects of a step cannot be told apart: let one ask another event: ", step.name);
}

}  // namespace

void detail::validate(const Contract& contract) {
    require_plain_names(contract);
    require_one_undo(contract);
    for (const StepCode& step : contract.steps) {
        require_own(contract.service, step.undone);
        require_apart(step);
        for (const Expects& expects : step.expects) require_own(contract.service, expects.asks);
        const bool speaks =
            std::any_of(step.emits.begin(), step.emits.end(),
                        [](const Emits& each) { return each.kind != Kind::failed; });
        require(!step.ends_saga || speaks,
                "a step that ends its saga says so by an event: ", step.name);
        require(!step.on_any_failure() || step.fate == Fate::unsaid,
                "a step on saga::Failed is a step of the way back: nothing undoes it: ", step.name);
    }
}

Service::Service(std::string name, std::vector<std::string> tables)
    : contract_(std::make_shared<Contract>()) {
    require_name("a service's name is [a-z][a-z0-9_]*: ", name);
    contract_->service = std::move(name);
    contract_->tables = std::move(tables);
}

detail::StepCode& Service::add_step(detail::StepCode step) {
    require_name("a step's name is [a-z][a-z0-9_]*: ", step.name);
    detail::require(std::none_of(contract_->steps.begin(), contract_->steps.end(),
                                 [&](const auto& each) { return each.name == step.name; }),
                    "two steps of one name: ", step.name);
    require_own(contract_->service, step.emits);
    std::vector<std::string_view> triggers;
    for (const detail::Type type : step.starts_on) triggers.push_back(type->full);
    std::sort(triggers.begin(), triggers.end());
    detail::require(std::adjacent_find(triggers.begin(), triggers.end()) == triggers.end(),
                    "a join takes each event once: ", step.name);
    return contract_->steps.emplace_back(std::move(step));
}

void Service::add_reaction(detail::ReactionCode reaction) {
    detail::require(
        std::none_of(contract_->reactions.begin(), contract_->reactions.end(),
                     [&](const auto& each) { return each.on->full == reaction.on->full; }),
        "one reaction a type: ", std::string(reaction.on->full));
    contract_->reactions.push_back(std::move(reaction));
}

detail::CommandCode& Service::add_command(detail::CommandCode command) {
    require_verb(*contract_, command.verb);
    require_own(contract_->service, std::vector{detail::Emits{command.accepts, Kind::done}});
    return contract_->commands.emplace_back(std::move(command));
}

void Service::question(std::string verb, std::string select) {
    require_verb(*contract_, verb);
    contract_->questions.push_back({std::move(verb), std::move(select)});
}

void Service::by_saga(std::string table, std::string column) {
    detail::require(std::ranges::find(contract_->by_saga, table, &detail::TableBySaga::name) ==
                        contract_->by_saga.end(),
                    "a table's rows belong to a saga by one column: ", table);
    contract_->by_saga.push_back({std::move(table), std::move(column)});
}

void Service::setting(std::string name, std::string otherwise, std::string help) {
    require_name("a setting's name is [a-z][a-z0-9_]*: ", name);
    contract_->settings.push_back({std::move(name), std::move(otherwise), std::move(help)});
}

}  // namespace saga
