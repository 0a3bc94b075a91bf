// What the clients of a landscape were told, as its load writes it.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace saga::cli {

/// A command that a client asked for. `unknown`: no answer came.
enum class Answered : std::uint8_t { ok, fail, unknown };
struct Asked {
    std::string service, command;  ///< empty where the load does not say
    Answered answer = Answered::unknown;
};

/// Lines such as {"key":"o-1","result":"ok"}; "service" and "command" may stand there too. Others
/// are passed over.
class Told {
  public:
    void take(std::string_view line);

    /// By key, which is the saga's id. Of a key that was asked for several times the best answer.
    const std::map<std::string, Asked>& all() const { return asked_; }
    std::size_t count(Answered answer) const;

  private:
    std::map<std::string, Asked> asked_;
};

}  // namespace saga::cli
