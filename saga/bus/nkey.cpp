#include "saga/bus/nkey.hpp"

#include <sodium.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <saga/error.hpp>
#include <vector>

namespace saga::bus {
namespace {

// The format is that of github.com/nats-io/nkeys: base32 (RFC 4648, without padding) of prefix, key
// and CRC-16/XMODEM, low byte first. A seed has two prefix bytes, a public key one.
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::vector<std::uint8_t> base32_decoded(std::string_view text) {
    std::vector<std::uint8_t> bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) return {};
        bits = bits << 5 | static_cast<std::uint32_t>(value);
        count += 5;
        if (count < 8) continue;
        count -= 8;
        bytes.push_back(static_cast<std::uint8_t>(bits >> count));
    }
    return bytes;
}

std::string base32_encoded(const std::vector<std::uint8_t>& bytes) {
    std::string text;
    std::uint32_t bits = 0;
    int count = 0;
    for (const std::uint8_t byte : bytes) {
        bits = bits << 8 | byte;
        count += 8;
        while (count >= 5) text += kAlphabet[bits >> (count -= 5) & 31];
    }
    if (count > 0) text += kAlphabet[bits << (5 - count) & 31];
    return text;
}

std::uint16_t crc16(const std::uint8_t* data, std::size_t size) {
    std::uint32_t crc = 0;
    for (std::size_t i = 0; i < size; ++i) {
        crc ^= static_cast<std::uint32_t>(data[i]) << 8;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return static_cast<std::uint16_t>(crc);
}

constexpr std::uint8_t kUser = 20 << 3;  // the prefix that makes a key begin with "U"
constexpr std::size_t kKeySize = 1 + crypto_sign_PUBLICKEYBYTES + 2;
constexpr std::size_t kSeedSize = 2 + crypto_sign_SEEDBYTES + 2;

bool is_sound(const std::vector<std::uint8_t>& raw, std::size_t size) {
    if (raw.size() != size) return false;
    const std::uint16_t sum = crc16(raw.data(), size - 2);
    return raw[size - 2] == (sum & 0xFF) && raw[size - 1] == sum >> 8;
}

std::string public_of(const std::vector<std::uint8_t>& seed) {
    const auto kind = static_cast<std::uint8_t>((seed[0] & 7) << 5 | seed[1] >> 3);
    std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> key{};
    std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret{};
    crypto_sign_seed_keypair(key.data(), secret.data(), seed.data() + 2);
    sodium_memzero(secret.data(), secret.size());
    std::vector<std::uint8_t> whole{kind};
    whole.insert(whole.end(), key.begin(), key.end());
    const std::uint16_t check = crc16(whole.data(), whole.size());
    whole.push_back(static_cast<std::uint8_t>(check & 0xFF));
    whole.push_back(static_cast<std::uint8_t>(check >> 8));
    return base32_encoded(whole);
}

}  // namespace

std::string public_nkey(const std::string& file) {
    std::ifstream words(file);
    std::string word;
    while (words >> word) {
        if (is_user_nkey(word)) return word;
        if (word.size() < 2 || word[0] != 'S') continue;
        const std::vector<std::uint8_t> raw = base32_decoded(word);
        if (is_sound(raw, kSeedSize)) return public_of(raw);
    }
    throw Error(file + " holds no NKey of a user (a line that begins with SU, or with U)");
}

bool is_user_nkey(std::string_view key) {
    const std::vector<std::uint8_t> raw = base32_decoded(key);
    return is_sound(raw, kKeySize) && raw.front() == kUser;
}

}  // namespace saga::bus
