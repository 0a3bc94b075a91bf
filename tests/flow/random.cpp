#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <random>
#include <vector>

#include "tests/flow/cases.hpp"

namespace saga::test {
namespace {

/// Writes a choreography that holds: steps that start one another, a last word where all of them
/// meet, before it perhaps a pivot, and some of what may stand around that.
class Plausible {
  public:
    explicit Plausible(std::uint32_t seed) : random_(seed) {}

    std::string text() {
        text_ = "a: command begin -> Begun\n";
        decides_ = one_in(2);
        const std::size_t steps = 1 + draw(4);
        for (std::size_t i = 0; i < steps; ++i) add_step(i);
        const std::string all = fmt::format("{}", fmt::join(open_, " & "));
        if (decides_)
            add_pivot(all);
        else
            text_ += "a: end on " + all + " -> Ended ends\n";
        text_ += "a: reject on *failed -> ~Rejected ends\n";
        if (!failures_.empty() && one_in(3)) add_cleanup();
        if (!undos_.empty() && one_in(4))
            text_ += fmt::format("d: tell on {} -> Told keeps\na: reads Told\n", any(undos_));
        if (one_in(2)) change();
        return text_;
    }

  private:
    std::size_t draw(std::size_t below) { return random_() % below; }
    bool one_in(std::size_t n) { return draw(n) == 0; }
    const std::string& any(const std::vector<std::string>& all) { return all[draw(all.size())]; }

    void add_step(std::size_t i) {
        constexpr std::array<const char*, 4> kServices{"a", "b", "c", "p"};
        const std::string on = any(begun_);
        text_ += fmt::format("{}: s{} on {} -> E{}", kServices.at(draw(4)), i, on, i);
        if (one_in(2)) {
            failures_.push_back(fmt::format("F{}", i));
            text_ += " | !" + failures_.back();
        }
        if (one_in(4)) text_ += " calls";
        if (one_in(6)) {
            text_ += " keeps";
        } else {
            undos_.push_back(fmt::format("U{}", i));
            text_ += " undo ~" + undos_.back();
        }
        if (one_in(5))
            text_ += fmt::format(" expects {} asks L{}", decides_ ? "Gone" : "Ended", late_++);
        text_ += "\n";
        std::erase(open_, on);
        open_.push_back(fmt::format("E{}", i));
        begun_.push_back(open_.back());
        if (decides_ || late_ == 0) return;
        for (; noted_ < late_; ++noted_) text_ += fmt::format("d: note{0} on L{0} keeps\n", noted_);
    }

    void add_pivot(const std::string& all) {
        text_ += fmt::format("p: go on {} -> Gone{} pivot\n", all, one_in(4) ? "" : " | !Stayed");
        if (one_in(2))
            text_ += "b: send on Gone -> Sent\na: end on Sent -> Ended ends\n";
        else
            text_ += "a: end on Gone -> Ended ends\n";
        for (std::size_t i = 0; i < late_; ++i)
            text_ += fmt::format("p: late{0} on L{0} | !Late{0} keeps\n", i);
        if (one_in(3))
            text_ +=
                "c: command poke -> Poked\n"
                "p: stop on Poked -> Kept | !Stopped keeps\n"
                "a: reads Kept\n";
    }

    void add_cleanup() {
        text_ +=
            fmt::format("d: tidy on {} -> {}Tidied keeps\n", any(failures_), one_in(2) ? "~" : "");
        text_ +=
            one_in(2) ? "c: sweep on Tidied -> Swept keeps\na: reads Swept\n" : "b: reads Tidied\n";
    }

    /// One mistake, of those that are made.
    void change() {
        const std::string event = any(begun_), undo = undos_.empty() ? "U" : any(undos_);
        const std::array<std::pair<std::string, std::string>, 8> kChanges{{
            {" undo ~" + undo, ""},
            {" undo ~" + undo, fmt::format(" undo ~{} undo_on F0", undo)},
            {" undo ~" + undo, " keeps"},
            {" pivot", ""},
            {" on " + event, " on Begun"},
            {"a: reject on *failed -> ~Rejected ends\n", ""},
            {"-> Ended ends", "-> Ended"},
            {"a: reject", "b: more on Begun | !Bad keeps\na: reject"},
        }};
        const auto& [words, instead] = kChanges.at(draw(kChanges.size()));
        if (const auto at = text_.find(words); at != std::string::npos)
            text_.replace(at, words.size(), instead);
    }

    std::mt19937 random_;
    std::string text_;
    std::vector<std::string> begun_{"Begun"}, open_{"Begun"}, failures_, undos_;
    std::size_t late_ = 0, noted_ = 0;
    bool decides_ = false;
};

}  // namespace

std::string random_choreography(std::uint32_t seed) {
    std::mt19937 random(seed);
    const auto draw = [&](std::size_t below) { return random() % below; };
    const auto one_in = [&](std::size_t n) { return draw(n) == 0; };
    constexpr std::array<const char*, 3> services{"a", "b", "c"};
    std::vector<std::string> events{"Begun"}, failures;
    std::string text = "a: command begin -> Begun\n";
    if (one_in(3)) {
        text += "b: command poke -> Poked\n";
        events.emplace_back("Poked");
    }
    for (std::size_t i = 0, steps = 2 + draw(5); i < steps; ++i) {
        std::string on = !failures.empty() && one_in(8) ? failures[draw(failures.size())]
                                                        : events[draw(events.size())];
        if (one_in(3))
            if (const std::string& other = events[draw(events.size())]; other != on)
                on += " & " + other;
        text += fmt::format("{}: s{} on {}", services.at(draw(3)), i, on);
        if (!one_in(6)) text += fmt::format(" -> E{}", i);
        const bool fails = one_in(2);
        if (fails) text += fmt::format(" | !F{}", i);
        switch (draw(4)) {
            case 0:
                text += fmt::format(" undo ~U{}", i);
                break;
            case 1:
                text += " keeps";
                break;
            case 2:
                text += one_in(2) ? " pivot" : " keeps";
                break;
            default:
                break;
        }
        if (text.ends_with(fmt::format("~U{}", i)) && !failures.empty() && one_in(3))
            text += " undo_on " + failures[draw(failures.size())];
        if (one_in(8)) text += fmt::format(" expects {} asks A{}", events[draw(events.size())], i);
        if (i + 1 == steps || one_in(6)) text += " ends";
        text += "\n";
        if (text.find(fmt::format("-> E{}", i)) != std::string::npos)
            events.push_back(fmt::format("E{}", i));
        if (text.find(fmt::format("asks A{}", i)) != std::string::npos)
            events.push_back(fmt::format("A{}", i));
        if (fails) failures.push_back(fmt::format("F{}", i));
    }
    if (!one_in(4)) text += "a: reject on *failed -> ~Rejected ends\n";
    if (!failures.empty() && one_in(3))
        text += fmt::format("c: mourn on {} -> ~Mourned\n", failures[draw(failures.size())]);
    return text;
}

std::string plausible_choreography(std::uint32_t seed) {
    return Plausible(seed).text();
}

}  // namespace saga::test
