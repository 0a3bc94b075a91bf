// What `saga check` says of choreographies against what services come to that keep to them: the
// engine itself on a simulated broker, among faults. Of what is accepted every saga ends in one way
// and nothing is left standing; whatever goes wrong with what is refuted is among the reasons, and
// of known mistakes every reason is seen.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "tests/flow/cases.hpp"
#include "tests/flow/choreography.hpp"
#include "tests/sim/trial.hpp"

namespace saga::sim {
namespace {

constexpr std::size_t kStates = 20'000;  // of a choreography: the others are passed over
constexpr std::uint64_t kPatience = 20;  // landscapes in which a known mistake shows
constexpr int kMostTold = 5;             // violations of one
constexpr double kShown = 0.6;           // of each kind of reasons, in few landscapes

struct Given {
    std::uint32_t first = 1, choreographies = 40;
    std::uint64_t trials = 2;  ///< landscapes of each
};

using Words = std::set<std::string>;

Words without(const Words& all, const Words& some) {
    Words rest;
    std::ranges::set_difference(all, some, std::inserter(rest, rest.end()));
    return rest;
}

/// What is done at once where the engine knows an end, or a start, and what the checker goes on
/// from: what follows a second end or a second start may differ.
bool goes_on(const Words& said) {
    return std::ranges::any_of(said, [](const std::string& word) {
        return word == "ends_twice" || word.starts_with("after_pivot") || word.starts_with("twice");
    });
}

/// Of one choreography.
struct Compared {
    Words said, seen, violations;
    Course sum;

    Words hidden() const { return without(said, seen); }
    Words unsaid() const { return goes_on(said) ? Words{} : without(seen, said); }
};

/// Until all that is said of it has been seen, or so many landscapes. None: nothing is compared.
std::optional<Compared> compare(const std::string& text, std::uint64_t seed, std::uint64_t trials) {
    const std::vector<flow::Contract> contracts = test::choreography(text);
    const flow::Verdict verdict = flow::check(contracts, kStates);
    if (!verdict.complete || verdict.begins.empty()) return std::nullopt;
    Compared all;
    for (const flow::Finding& finding : verdict.findings) all.said.insert(word_of(finding));
    all.said.erase("");  // what contracts show without any course
    const bool accepted = all.said.empty();
    for (std::uint64_t nth = 0; nth < trials && (accepted || !all.hidden().empty()); ++nth) {
        Course course = try_out(contracts, {.seed = seed + nth}, accepted);
        all.seen.merge(course.wrong);
        all.violations.insert(course.violations.begin(), course.violations.end());
        all.sum.add(course);
    }
    return all;
}

class Agreement {
  public:
    /// What was said of it, and not seen.
    Words add(const std::string& name, const std::string& text, std::uint64_t seed,
              std::uint64_t trials) {
        std::optional<Compared> compared;
        try {
            compared = compare(text, seed, trials);
        } catch (const std::logic_error& refused) {  // by the engine, as any declaration
        }
        if (!compared) return ++passed_over_, Words{};
        sum_.add(compared->sum);
        ++(compared->said.empty() ? accepted_ : refuted_);
        Words hidden = compared->hidden();
        for (const std::string& word : compared->said) {
            auto& [shown, all] = reasons_[word.substr(0, word.find(' '))];
            ++all;
            shown += hidden.contains(word) ? 0 : 1;
        }
        if (!compared->unsaid().empty() || !compared->violations.empty())
            disagree(name, text, *compared);
        return hidden;
    }

    /// A choreography of which what is wrong is known.
    void add(const test::Case& each, std::uint64_t trials) {
        const Words hidden = add(each.name, test::text_of(each), 1, trials);
        if (hidden.empty()) return;
        ++disagreements_;
        fmt::print("not shown by {} landscapes: {}: {}\n", trials, each.name,
                   fmt::join(hidden, "; "));
    }

    /// Whether the two agree, and enough was compared.
    bool tell() const {
        fmt::print(
            "{} choreographies accepted, {} refuted, {} passed over: none of services in "
            "C++, or too large\n",
            accepted_, refuted_, passed_over_);
        fmt::print("{} sagas: {} ended well, {} failed; {} deaths, {} duplicates\n", sum_.sagas,
                   sum_.ended_well, sum_.failed, sum_.deaths, sum_.duplicates);
        bool right = disagreements_ == 0 && accepted_ > 0 && refuted_ > 0;
        for (const auto& [reason, shown] : reasons_) {
            fmt::print("{:14} {} of {} shown\n", reason, shown.first, shown.second);
            right = right && shown.first >= kShown * shown.second;
        }
        fmt::print("{} disagreements\n", disagreements_);
        return right;
    }

  private:
    void disagree(const std::string& name, const std::string& text, const Compared& compared) {
        ++disagreements_;
        fmt::print("{}:\n{}\nthe checker says: {}\nand not: {}\n", name, text,
                   fmt::join(compared.said, "; "), fmt::join(compared.unsaid(), "; "));
        int shown = 0;
        for (const std::string& violation : compared.violations)
            if (++shown <= kMostTold) fmt::print("  {}\n", violation);
    }

    int accepted_ = 0, refuted_ = 0, passed_over_ = 0, disagreements_ = 0;
    Course sum_;
    std::map<std::string, std::pair<int, int>> reasons_;  // shown, of all
};

}  // namespace
}  // namespace saga::sim

int main(int argc, char** argv) {
    using namespace saga;
    sim::Given given;
    CLI::App app{"Choreographies that are checked, and that are acted by simulated services.",
                 "agreement"};
    app.add_option("--first", given.first, "the seed of the first random one")
        ->capture_default_str();
    app.add_option("--choreographies", given.choreographies, "random ones")->capture_default_str();
    app.add_option("--trials", given.trials, "landscapes of each")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    sim::Agreement agreement;
    for (const test::Case& each : test::kRight) agreement.add(each, given.trials);
    for (const test::Case& each : test::kBroken) agreement.add(each, sim::kPatience);
    for (std::uint32_t seed = given.first; seed < given.first + given.choreographies; ++seed)
        agreement.add(
            fmt::format("--first {} --choreographies 1", seed),
            seed % 3 == 0 ? test::random_choreography(seed) : test::plausible_choreography(seed),
            seed, given.trials);
    return agreement.tell() ? 0 : 1;
}
