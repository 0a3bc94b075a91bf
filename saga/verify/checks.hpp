// One function an invariant: each says what is wrong, and knows nothing of the others.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saga/verify/facts.hpp"

namespace saga::verify {

/// Where a checker says what it found.
class Report {
  public:
    Report(std::string_view invariant, std::vector<Violation>& all)
        : invariant_(invariant), all_(all) {}

    template <class... Args>
    void add(std::string_view service, std::string_view saga, fmt::format_string<Args...> text,
             Args&&... args) {
        all_.push_back({std::string(invariant_), std::string(service), std::string(saga),
                        fmt::format(text, std::forward<Args>(args)...)});
    }

  private:
    std::string_view invariant_;
    std::vector<Violation>& all_;
};

void check_effects(const Facts& facts, const Options& options, Report& report);              // I1
void check_transactions(const Facts& facts, const Options& options, Report& report);         // I2
void check_ends(const Facts& facts, const Options& options, Report& report);                 // I4
void check_undone(const Facts& facts, const Options& options, Report& report);               // I5
void check_causes(const Facts& facts, const Options& options, Report& report);               // I6
void check_rest(const Facts& facts, const Options& options, Report& report);                 // I7
void check_waiting(const Facts& facts, const Options& options, Report& report);              // I8
void check_answers(const Facts& facts, const std::vector<Answer>& answers, Report& report);  // I9
void check_cursors(const Facts& facts, const Options& options, Report& report);              // I10
void check_locks(const Facts& facts, const Options& options, Report& report);                // I11
void check_bounds(const Facts& facts, const Options& options, Report& report);               // I12
void check_given_up(const Facts& facts, const Options& options, Report& report);             // I13

// ---- what several of them ask -------------------------------------------------------------------

/// What the event should have left in a service that has read it, and did not; none: all is there,
/// or it is not that service's business.
std::optional<std::string> missing(const Service& reader, const Event& event);

/// What an event of a service's own is due to, as its contract says.
enum class Origin : std::uint8_t { outcome, timer, command, operation };
Origin origin_of(const Service& service, const Event& event);

/// Of one step of one saga: how often it published an event of a name, as the journal and as the
/// outbox say.
struct Published {
    std::string_view step, name;
    int journalled = 0, sent = 0;
    int excused = 0;  ///< of those sent: what an operator or a record of the past stands behind
};
std::vector<Published> published(const Service& service, const Known& known);

/// The last words of sagas, in the stream and in outboxes: each once.
using Ends = std::unordered_map<std::string, std::vector<const Event*>>;
Ends ends_of(const Facts& facts);

/// Whether a failure of those takes the step back, as its contract says; not of unknown steps.
bool undoable(const Step& step, const std::vector<std::string>& failures);
/// Nothing is left to do here.
bool finished(const Service& service, const Known& known);

std::string_view name_of(core::StepState state);
std::string_view name_of(core::Parking state);
std::string_view name_of(core::Waits what);

}  // namespace saga::verify
