#include "saga/cli/log_lines.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace saga::cli {
namespace {

constexpr std::size_t kLongest = 16 * 1024;
constexpr std::size_t kAtOnce = 4096;  // bytes that a pipe which polls as writable takes (PIPE_BUF)

}  // namespace

void LineBuffer::add(std::string_view piece, const OnLine& on_line) {
    while (!piece.empty()) {
        const auto end = piece.find('\n');
        rest_ += piece.substr(0, end);
        piece = end == std::string_view::npos ? std::string_view{} : piece.substr(end + 1);
        while (rest_.size() > kLongest) {
            on_line(std::string_view(rest_).substr(0, kLongest));
            rest_.erase(0, kLongest);
        }
        if (end == std::string_view::npos) return;
        if (!rest_.empty() && rest_.back() == '\r') rest_.pop_back();
        on_line(rest_);
        rest_.clear();
    }
}

void LineBuffer::flush(const OnLine& on_line) {
    if (rest_.empty()) return;
    on_line(rest_);
    rest_.clear();
}

void Outlet::put(std::string text) {
    if (broken_) return;
    bytes_ += text.size();
    texts_.push_back(std::move(text));
    drain();
}

void Outlet::drain() {
    while (!texts_.empty()) {
        pollfd ready{fd_, POLLOUT, 0};
        if (::poll(&ready, 1, 0) <= 0) return;
        const std::string_view rest = std::string_view(texts_.front()).substr(written_);
        const ssize_t size = ::write(fd_, rest.data(), std::min(rest.size(), kAtOnce));
        if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (size < 0) {
            broken_ = true;
            texts_.clear();
            bytes_ = written_ = 0;
            return;
        }
        written_ += static_cast<std::size_t>(size);
        if (written_ < texts_.front().size()) continue;
        bytes_ -= written_;
        written_ = 0;
        texts_.pop_front();
    }
}

std::string prefixed(const Paint& paint, std::size_t nth, std::string_view name,
                     std::size_t columns, std::string_view line) {
    constexpr std::array<std::string_view, 6> kColours{"36", "33", "32", "35", "34", "31"};
    const std::string head = fmt::format("{:<{}} |", name, columns);
    return fmt::format("{} {}\n", paint.in(kColours.at(nth % kColours.size()), head), line);
}

}  // namespace saga::cli
