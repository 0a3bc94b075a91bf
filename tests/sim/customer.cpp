#include "tests/sim/customer.hpp"

#include <nlohmann/json.hpp>

#include "saga/core/subject.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

std::string_view text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Customer::Customer(Schedule& schedule, Broker& broker, const Chance& chance)
    : schedule_(schedule),
      chance_(chance),
      net_(chance.branch("net")),
      bus_(schedule, broker, net_, life_, [this] { plan(schedule_.now()); }) {
    plan(schedule_.now());
}

void Customer::plan(Steady when) {
    if (when >= planned_) return;
    planned_ = when;
    schedule_.at(when, [this, mine = ++plan_] {
        if (mine != plan_) return;
        planned_ = Steady::max();
        turn();
    });
}

void Customer::turn() {
    bus_.poll(*this, schedule_.now());
    bus_.flush();
    plan(bus_.next_due());
}

void Customer::ask(std::string service, std::string verb, std::string key,
                   std::vector<std::byte> body, int most) {
    history_.push_back({.service = std::move(service),
                        .verb = std::move(verb),
                        .key = std::move(key),
                        .body = std::move(body),
                        .refusal = {}});
    ++open_;
    attempt(history_.size() - 1, most);
}

void Customer::attempt(std::size_t which, int most) {
    bus_.poll(*this, schedule_.now());  // its clock
    Asked& asked = history_[which];
    ++asked.attempts;
    bus_.ask(core::request_subject(asked.service, asked.verb), {}, text(asked.body), 2s,
             [this, which, most](const auto& answer) { answered(which, most, answer); });
    bus_.flush();
    plan(bus_.next_due());
}

void Customer::answered(std::size_t which, int most, const bus::Result<std::string>& answer) {
    Asked& asked = history_[which];
    if (const auto* body = std::get_if<std::string>(&answer)) {
        const auto json = nlohmann::json::parse(*body, nullptr, false);
        asked.refusal.clear();  // of an earlier attempt
        if (!json.is_object())
            asked.refusal = "unreadable";
        else if (const auto refused = json.find("refused"); refused != json.end())
            asked.refusal = refused->value("code", "unreadable");
        const bool later = asked.refusal == "unavailable" || asked.refusal == "busy";
        if (!later) {
            const auto no = asked.unheard ? Told::unknown : Told::refused;
            asked.told = asked.refusal.empty() ? Told::accepted : no;
            --open_;
            return;
        }
    } else if (std::get<bus::Problem>(answer).trouble != bus::Trouble::no_responders) {
        asked.unheard = true;
    }
    if (asked.attempts >= most) {
        --open_;
        return;
    }
    schedule_.in(chance_.between<Duration>(50ms, 2s),
                 [this, which, most] { attempt(which, most); });
}

}  // namespace saga::sim
