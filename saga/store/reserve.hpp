// Room on the disk that is held back, so that a full one leaves some to clean up with.
#pragma once

#include <cstdint>
#include <string>

namespace saga::store {

/// A file beside the database that takes up `bytes`. On a full disk even a DELETE fails, for it
/// writes to the WAL: giving the reserve up makes room for it.
class Reserve {
  public:
    /// Does nothing yet. Of 0 bytes: it is always held, and nothing is given up with it.
    Reserve(std::string path, std::uint64_t bytes);

    /// Takes up the room unless it is held; whether it is now. Never throws: no room is an answer.
    bool take() noexcept;
    void give_up() noexcept;
    bool held() const { return held_; }
    std::uint64_t bytes() const { return bytes_; }

  private:
    std::string path_;
    std::uint64_t bytes_;
    bool held_;
};

}  // namespace saga::store
