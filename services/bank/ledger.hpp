// The bank's books: one SQLite file, no network.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shop_events.hpp"

namespace shop {

inline constexpr std::size_t kMostIdBytes = 64;    ///< Of a customer's id.
inline constexpr std::size_t kMostKeyBytes = 128;  ///< Of an idempotency key.
inline constexpr int kPage = 1'000;                ///< Charges of one answer of books().

/// Charges, refunds and credits, each once for its key.
///
/// The same key and question again has the same answer, also after a restart. The same key with
/// another question, and a question without a key, is declined and leaves no trace. What is
/// declined for another reason is remembered as declined. One thread; throws saga::Error when the
/// file is not to be had, SQLite::Exception when it cannot be written: then nobody knows what
/// stands in it until it is opened again.
class Ledger {
  public:
    /// Makes the file where there is none. Throws saga::Error when another process has it open, or
    /// it is no ledger. ":memory:" is a ledger without a file.
    explicit Ledger(const std::string& path);
    ~Ledger();
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    /// Runs `work` in one transaction: when it returns, all that was entered is on disk. What
    /// throws leaves nothing.
    void write(const std::function<void()>& work);

    /// Takes money from an account, which its first charge opens. `unlucky`: declines what it did
    /// not answer before. Inside write().
    Receipt charge(std::string_view key, const Charge& asked, bool unlucky = false);
    /// Gives one charge back, whole, once. Inside write().
    Receipt refund(std::string_view key, const Refund& asked);
    /// Gives an account more, or says what accounts are opened with. Inside write().
    Credited credit(std::string_view key, const Credit& asked);

    /// At most kPage charges above `after`, in their order; the sums only where `after` is 0. At
    /// any time credit = balance + charged - refunded.
    BankBooks books(const AskBooks& asked) const;

  private:
    struct Tables;
    std::unique_ptr<Tables> tables_;
};

}  // namespace shop
