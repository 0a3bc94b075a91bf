// Everything that takes bytes from outside, as functions that take any: they return, or abort the
// process where a promise about hostile bytes does not hold.
#pragma once

#include <saga/event.hpp>
#include <span>
#include <string_view>

namespace saga::fuzz {

struct Target {
    std::string_view name;  ///< also of its folder below corpus/
    void (*run)(Bytes input);
};
std::span<const Target> targets();
/// Null: there is none of that name.
const Target* find(std::string_view name);

/// Says what does not hold, and aborts.
void must(bool holds, std::string_view what);

/// Takes an input apart, from its beginning; what is not there is zero or empty.
class Input {
  public:
    explicit Input(Bytes bytes) : bytes_(bytes) {}
    std::uint8_t byte();
    /// Up to a line feed, which is taken too.
    std::string_view line();
    Bytes rest() const { return bytes_; }
    std::string_view text() const;

  private:
    Bytes bytes_;
};

// wire.cpp: what travels on the stream.
void envelope(Bytes input);  ///< a message's body
void event(Bytes input);     ///< which type, then a payload
void subject(Bytes input);   ///< a subject, then words that become headers
void decoded(Bytes input);   ///< the stdin of `saga decode`
// schema.cpp: what services say of themselves.
void schema(Bytes input);    ///< a .bfbs, then a payload
void contract(Bytes input);  ///< JSON of the bucket SAGA_CONTRACTS
// service.cpp: what a running service is sent.
void message(Bytes input);  ///< to whom and how, a subject, then a body from the stream
void request(Bytes input);  ///< whom, a verb, then a body
// outside.cpp: what others answer, and are asked.
void broker(Bytes input);  ///< an answer of JetStream, an ack subject, a time
void answer(Bytes input);  ///< JSON that a service answers the tool
void bank(Bytes input);    ///< questions to the bank, one after the other
// text.cpp: what people write.
void csv_text(Bytes input);
void import(Bytes input);  ///< the shop's files
void config(Bytes input);  ///< the file of `saga dev`
void words(Bytes input);   ///< ids, durations, lines of an order, what a terminal is shown

}  // namespace saga::fuzz
