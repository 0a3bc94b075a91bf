#include "saga/core/ids.hpp"

#include <algorithm>
#include <saga/error.hpp>
#include <string>

namespace saga {

std::string EventId::text() const {
    constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += {kHex[bytes[i] >> 4], kHex[bytes[i] & 15]};
    }
    return text;
}

EventId EventId::parse(std::string_view text) {
    const auto value = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    if (text.size() != 36) return {};
    EventId id;
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return {};
        const int high = value(text[at++]), low = value(text[at++]);
        if (high < 0 || low < 0) return {};
        id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return id;
}

}  // namespace saga

namespace saga::core {
namespace {

using State = crypto_generichash_state;

void add(State& state, const void* data, std::size_t size) {
    crypto_generichash_update(&state, static_cast<const unsigned char*>(data), size);
}
void add_number(State& state, std::uint32_t number) {
    const std::array<std::uint8_t, 4> bytes{
        static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
        static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
    add(state, bytes.data(), bytes.size());
}
/// With its length in front, so that no two lists of words hash alike.
void add_word(State& state, std::string_view word) {
    add_number(state, static_cast<std::uint32_t>(word.size()));
    add(state, word.data(), word.size());
}
EventId finish(State& state) {
    EventId id;
    crypto_generichash_final(&state, id.bytes.data(), id.bytes.size());
    return id;
}

std::array<std::uint8_t, IdKey::kSize> derived(const std::array<std::uint8_t, IdKey::kSize>& secret,
                                               std::string_view purpose) {
    std::array<std::uint8_t, IdKey::kSize> key;
    crypto_generichash(key.data(), key.size(),
                       reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(),
                       secret.data(), secret.size());
    return key;
}

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;

const unsigned char* raw(Bytes bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

IdKey::IdKey(const std::array<std::uint8_t, kSize>& secret)
    : ids_(derived(secret, "counterstep ids")), seals_(derived(secret, "counterstep seals")) {
    SAGA_ASSERT(sodium_init() >= 0);
    crypto_generichash_init(&begun_, ids_.data(), ids_.size(), sizeof(EventId::bytes));
}

EventId IdKey::id(Time started, const Work& work) const {
    State state = begun_;
    for (const std::string_view word : {work.service, work.saga, work.step}) add_word(state, word);
    add_number(state, static_cast<std::uint32_t>(work.role));
    add_number(state, work.slot);
    add(state, work.trigger.bytes.data(), work.trigger.bytes.size());
    EventId id = finish(state);
    const auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(started.time_since_epoch()).count());
    for (int i = 0; i < 6; ++i)
        id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    id.bytes[6] = static_cast<std::uint8_t>(0x80 | (id.bytes[6] & 0x0F));  // version 8
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3F));  // variant of RFC 9562
    return id;
}

EventId IdKey::fingerprint() const {
    return digest("fingerprint of the key", {});
}

EventId IdKey::digest(std::string_view purpose, Bytes body) const {
    State state = begun_;
    add_word(state, purpose);
    add(state, body.data(), body.size());
    return finish(state);
}

std::vector<std::byte> IdKey::seal(const EventId& id, Bytes plain) const {
    std::vector<std::byte> sealed(kNonce + plain.size() + kTag);
    auto* nonce = reinterpret_cast<unsigned char*>(sealed.data());
    State state;  // of the content: two seals share a nonce only where they are the same
    crypto_generichash_init(&state, seals_.data(), seals_.size(), kNonce);
    add(state, id.bytes.data(), id.bytes.size());
    add(state, plain.data(), plain.size());
    crypto_generichash_final(&state, nonce, kNonce);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonce, nullptr, raw(plain), plain.size(),
                                               id.bytes.data(), id.bytes.size(), nullptr, nonce,
                                               seals_.data());
    return sealed;
}

std::optional<std::vector<std::byte>> IdKey::open(const EventId& id, Bytes sealed) const {
    if (sealed.size() < kNonce + kTag) return std::nullopt;
    std::vector<std::byte> plain(sealed.size() - kNonce - kTag);
    const Bytes cipher = sealed.subspan(kNonce);
    const int result = crypto_aead_xchacha20poly1305_ietf_decrypt(
        reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, raw(cipher),
        cipher.size(), id.bytes.data(), id.bytes.size(), raw(sealed), seals_.data());
    if (result != 0) return std::nullopt;
    return plain;
}

}  // namespace saga::core
