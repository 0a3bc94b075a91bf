#include "saga/flow/permissions.hpp"

#include <fmt/format.h>

#include <saga/error.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/core/verbs.hpp"
#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

using Subjects = std::set<std::string>;

/// A contract may come from anybody who can write its key of the bucket: what it names becomes part
/// of a subject of its own service, and nothing else.
void require_token(std::string_view what, std::string_view word) {
    if (!core::is_saga_id(word))
        throw Error(fmt::format("{} is 1 to 64 of A-Z a-z 0-9 _ -, and not \"{}\"", what, word));
}
void require_subject(std::string_view whose, std::string_view subject) {
    std::string_view rest = subject;
    bool sound = !rest.empty();
    while (sound && !rest.empty()) {
        const auto dot = rest.find('.');
        sound = core::is_saga_id(rest.substr(0, dot)) && dot + 1 != rest.size();
        rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    }
    if (!sound)
        throw Error(fmt::format("\"{}\" of {} is no subject without wildcards, such as bank.charge",
                                subject, whose));
    for (const std::string_view reserved : {"saga", "saga-ctl", "saga-dlq", "_INBOX", "_SAGA"})
        if (subject.substr(0, subject.find('.')) == reserved)
            throw Error(fmt::format("\"{}\" of {} belongs to the engine", subject, whose));
}

const std::set<std::string>& of(const Programs::Words& words, const std::string& name) {
    static const std::set<std::string> none;
    const auto found = words.find(name);
    return found == words.end() ? none : found->second;
}

std::vector<std::string> list(const Subjects& subjects) {
    return {subjects.begin(), subjects.end()};
}

class Permissions {
  public:
    Permissions(std::span<const Contract> contracts, Programs programs)
        : programs_(std::move(programs)) {
        for (const Contract& contract : contracts) add_contract(contract);
        for (const auto& [name, subjects] : programs_.answers) add_name(name);
        for (const auto& [name, requests] : programs_.clients) add_name(name);
        add_name(std::string(kObserver));
        add_name(std::string(kOperator));
        check_programs();
        check_shards();
        for (const Contract& contract : contracts) add_calls(contract);
    }

    std::vector<User> users() const {
        std::vector<User> all;
        for (const auto& [name, service] : services_) all.push_back(service_user(name, service));
        for (const auto& [name, subjects] : programs_.answers)
            all.push_back(outside_user(name, subjects));
        for (const auto& [name, requests] : programs_.clients)
            all.push_back(client_user(name, requests));
        all.push_back(looking_user(std::string(kObserver), false));
        all.push_back(looking_user(std::string(kOperator), true));
        return all;
    }

  private:
    struct Service {
        Subjects events;
        std::set<std::string> requests;  ///< verbs of commands and questions
    };

    void add_name(const std::string& name) {
        require_token("a user's name", name);
        if (!names_.insert(name).second)
            throw Error(fmt::format("two users would be named {}: rename one", name));
    }

    void add_contract(const Contract& contract) {
        if (!services_.contains(contract.service)) add_name(contract.service);
        Service& service = services_[contract.service];
        for (const auto& [event, kinds] : published_by(contract)) {
            const std::string_view word = short_name(event);
            for (const Kind kind : kinds)
                service.events.insert(
                    fmt::format("saga.{}.{}.{}.>", contract.service, core::name_of(kind), word));
        }
        const auto add_verb = [&](const std::string& verb) {
            require_token(fmt::format("a verb of {}", contract.service), verb);
            service.requests.insert(verb);
        };
        for (const Command& command : contract.commands) add_verb(command.verb);
        for (const std::string& question : contract.questions) add_verb(question);
    }

    /// Who answers there may be nobody of these: the broker of another team imports the subject.
    void add_calls(const Contract& contract) {
        for (const Step& step : contract.steps)
            for (const std::string& subject : {step.calls_subject, step.undo_calls_subject}) {
                if (subject.empty()) continue;
                require_subject(contract.service, subject);
                programs_.asks[contract.service].insert(subject);
            }
    }

    void check_programs() const {
        for (const auto* words : {&programs_.answers, &programs_.asks})
            for (const auto& [name, subjects] : *words)
                for (const std::string& subject : subjects) require_subject(name, subject);
        for (const auto& [name, subjects] : programs_.asks) {
            if (!names_.contains(name))
                throw Error(fmt::format("{} asks, and is no service or program here", name));
            for (const std::string& subject : subjects)
                if (answerers(subject).empty())
                    throw Error(
                        fmt::format("{} asks on {}, where no program answers", name, subject));
        }
        for (const auto& [name, requests] : programs_.clients)
            for (const std::string& request : requests)
                if (!all_requests().contains(request))
                    throw Error(
                        fmt::format("{} may ask {}, which is no command or question of "
                                    "these contracts",
                                    name, request));
    }

    void check_shards() const {
        for (const auto& [name, counts] : programs_.shards) {
            if (!services_.contains(name))
                throw Error(fmt::format("{} is to run in shards, and is no service here", name));
            for (const unsigned of : counts)
                if (of == 0 || of > core::kPartitions)
                    throw Error(fmt::format("{} cannot run in {} shards: from 1 to {}", name, of,
                                            core::kPartitions));
        }
    }

    /// The names that a service's processes have: its own, and those of its shards.
    std::vector<std::string> instances_of(const std::string& service) const {
        std::vector<std::string> names{service};
        const auto split = programs_.shards.find(service);
        if (split == programs_.shards.end()) return names;
        for (const unsigned of : split->second)
            for (const core::Instance& each : core::instances_of(service, of))
                if (!each.shard.whole()) names.push_back(each.name());
        return names;
    }

    std::set<std::string> answerers(const std::string& subject) const {
        std::set<std::string> found;
        for (const auto& [name, subjects] : programs_.answers)
            if (subjects.contains(subject)) found.insert(name);
        return found;
    }

    std::set<std::string> all_requests() const {
        std::set<std::string> all;
        for (const auto& [name, service] : services_)
            for (const std::string& verb : service.requests)
                all.insert(fmt::format("{}.{}", name, verb));
        return all;
    }

    std::string inbox_of(const std::string& name) const {
        return (services_.contains(name) ? "_SAGA." : "_INBOX.") + name;
    }

    User user(const std::string& name, User::Role role, Subjects publish, Subjects subscribe,
              const Subjects& never = {}) const {
        const std::string inbox = inbox_of(name);
        subscribe.insert(inbox + ".>");
        publish.merge(Subjects(of(programs_.asks, name)));
        return {.name = name,
                .role = role,
                .inbox = inbox,
                .publish = list(publish),
                .subscribe = list(subscribe),
                .publish_never = list(never)};
    }

    User service_user(const std::string& name, const Service& service) const {
        Subjects publish = service.events;
        publish.insert({fmt::format("saga.{}.done.OperatorActed.>", name),
                        fmt::format("saga-dlq.{}.>", name), "$JS.API.STREAM.INFO.SAGA",
                        "$JS.API.STREAM.MSG.GET.SAGA", fmt::format("$KV.SAGA_CONTRACTS.{}", name),
                        fmt::format("_SAGA.{}.>", name)});  // what another instance is answered
        Subjects subscribe = discovery(name);
        for (const std::string& instance : instances_of(name)) {
            const auto add = [&](std::string_view format) {
                publish.insert(fmt::format(fmt::runtime(format), instance));
            };
            add("$JS.API.CONSUMER.CREATE.SAGA.{}");    // a list of filters stands in the body,
            add("$JS.API.CONSUMER.CREATE.SAGA.{}.>");  // a single one in the subject
            for (const std::string_view verb : {"DELETE", "INFO", "MSG.NEXT"})
                publish.insert(fmt::format("$JS.API.CONSUMER.{}.SAGA.{}", verb, instance));
            add("$JS.API.DIRECT.GET.KV_SAGA_OWNERS.$KV.SAGA_OWNERS.{}");
            add("$KV.SAGA_OWNERS.{}");
            add("saga-ctl.{}.owner");  // is another instance there?
            subscribe.insert(core::request_subject(instance, "*"));
        }
        for (const std::string& other : names_)
            if (!services_.contains(other)) publish.insert(inbox_of(other) + ".>");
        return user(name, User::Role::service, std::move(publish), std::move(subscribe));
    }

    User outside_user(const std::string& name, const std::set<std::string>& subjects) const {
        Subjects publish;
        for (const auto& [asker, asked] : programs_.asks)
            for (const std::string& subject : asked)
                if (subjects.contains(subject)) publish.insert(inbox_of(asker) + ".>");
        return user(name, User::Role::outside, std::move(publish), subjects);
    }

    /// To read the stream as runtime::StreamView does: a consumer of any name but a service's. Who
    /// makes one reads what its filter lets through, whatever it may subscribe to.
    Subjects view(std::string_view filter, Subjects& never) const {
        for (const auto& [service, its] : services_)
            for (const std::string& name : instances_of(service)) {
                for (const std::string_view verb : {"CREATE", "DELETE", "MSG.NEXT"})
                    never.insert(fmt::format("$JS.API.CONSUMER.{}.SAGA.{}", verb, name));
                never.insert(fmt::format("$JS.API.CONSUMER.CREATE.SAGA.{}.>", name));
            }
        return {fmt::format("$JS.API.CONSUMER.CREATE.SAGA.*.{}", filter),
                "$JS.API.CONSUMER.DELETE.SAGA.*", "$JS.API.CONSUMER.MSG.NEXT.SAGA.*"};
    }

    /// Looks, and answers those who look, and whoever asks who is there.
    User observer(Subjects publish, const Subjects& never) const {
        const std::string name(kObserver);
        publish.insert("_SAGA." + name + ".>");
        for (const std::string& other : names_)
            if (!services_.contains(other)) publish.insert(inbox_of(other) + ".>");
        Subjects subscribe = discovery(name);
        subscribe.insert(core::request_subject(name, "*"));
        subscribe.insert("_SAGA." + name + ".>");
        return user(name, User::Role::observer, std::move(publish), std::move(subscribe), never);
    }

    static Subjects discovery(const std::string& name) {
        Subjects subjects;
        for (const std::string_view word : {"PING", "INFO", "STATS"}) {
            subjects.insert(fmt::format("$SRV.{}", word));
            subjects.insert(fmt::format("$SRV.{}.{}", word, name));
            subjects.insert(fmt::format("$SRV.{}.{}.*", word, name));
        }
        return subjects;
    }

    User client_user(const std::string& name, const std::set<std::string>& requests) const {
        Subjects never;
        Subjects publish = view("saga.*.ended.>", never);
        for (const std::string& request : requests.empty() ? all_requests() : requests) {
            const auto dot = request.find('.');
            for (const std::string& instance : instances_of(request.substr(0, dot)))
                publish.insert("saga-ctl." + instance + request.substr(dot));
        }
        for (const auto& [service, its] : services_)
            for (const std::string& instance : instances_of(service))
                publish.insert(core::request_subject(instance, "state"));
        return user(name, User::Role::client, std::move(publish), {}, never);
    }

    User looking_user(const std::string& name, bool acts) const {
        Subjects never;
        Subjects publish = view(">", never);
        publish.insert({"$JS.API.INFO", "$JS.API.CONSUMER.LIST.SAGA", "$SRV.>",
                        "$JS.API.STREAM.MSG.GET.SAGA", "saga-ctl.saga-dev.programs"});
        const std::vector<std::string> buckets{fmt::format("KV_{}", core::kOwners),
                                               fmt::format("KV_{}", core::kContracts),
                                               fmt::format("KV_{}", core::kConfig)};
        std::vector<std::string> streams{std::string(core::kStream),
                                         std::string(core::kDeadLetters)};
        streams.insert(streams.end(), buckets.begin(), buckets.end());
        for (const std::string& bucket : buckets)
            publish.insert("$JS.API.STREAM.MSG.GET." + bucket);
        for (const std::string& stream : streams) publish.insert("$JS.API.STREAM.INFO." + stream);
        for (const core::Verb& verb : core::kReadVerbs)
            publish.insert(core::request_subject("*", verb.name));
        publish.insert(core::request_subject(kObserver, "*"));
        if (!acts) return observer(std::move(publish), never);
        for (const std::string& stream : streams)
            for (const std::string_view verb : {"CREATE", "UPDATE"})
                publish.insert(fmt::format("$JS.API.STREAM.{}.{}", verb, stream));
        for (const core::Verb& verb : core::kActVerbs)
            publish.insert(core::request_subject("*", verb.name));
        publish.insert(core::request_subject("*", core::kUndoVerb.name));
        publish.insert(core::request_subject("*", core::kBackupVerb.name));
        publish.insert(fmt::format("$KV.{}.*", core::kContracts));  // of a service that is no more
        return user(name, User::Role::op, std::move(publish), {}, never);
    }

    Programs programs_;  ///< and what the contracts say of calls
    std::map<std::string, Service> services_;
    std::set<std::string> names_;
};

}  // namespace

std::vector<User> users_of(std::span<const Contract> contracts, const Programs& programs) {
    return Permissions(contracts, programs).users();
}

}  // namespace saga::flow
