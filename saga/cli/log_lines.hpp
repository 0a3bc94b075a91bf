// What programs say, line by line, on its way to our stdout.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "saga/cli/command.hpp"

namespace saga::cli {

/// Makes whole lines of pieces. A line beyond 16 KiB is cut in two.
class LineBuffer {
  public:
    using OnLine = std::function<void(std::string_view)>;
    void add(std::string_view piece, const OnLine& on_line);
    /// What came last without an end.
    void flush(const OnLine& on_line);

  private:
    std::string rest_;
};

/// Text on its way to a descriptor that may take it slowly, or no longer: nothing here waits. The
/// caller stops reading from programs while it is full, and they wait in their turn.
class Outlet {
  public:
    explicit Outlet(int fd) : fd_(fd) {}

    void put(std::string text);
    /// As much as the descriptor takes now.
    void drain();
    bool waiting() const { return !texts_.empty(); }
    bool full() const { return bytes_ >= kMost; }
    bool broken() const { return broken_; }  ///< Nobody reads it any more.
    int fd() const { return fd_; }

  private:
    static constexpr std::size_t kMost = 256 * 1024;  // bytes: some hundred screens
    int fd_;
    std::deque<std::string> texts_;
    std::size_t bytes_ = 0, written_ = 0;  // written_: of the first text
    bool broken_ = false;
};

/// "order      | text", with a colour of its own for each program; plain where Paint is off.
std::string prefixed(const Paint& paint, std::size_t nth, std::string_view name,
                     std::size_t columns, std::string_view line);

}  // namespace saga::cli
