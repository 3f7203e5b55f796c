// rmedia.hpp: librmedia for C++17 and later, header-only, over rmedia.h.
// SPDX-License-Identifier: MIT OR Apache-2.0
//
//     auto pipeline = rmedia::pipeline::from_file("voice.yaml");
//     while (pipeline.push(samples, 48000, 1) == rmedia::status::full) { /* pull, then again */ }
//     for (rmedia::pulled& result : pipeline.run())           // ends the inputs, up to the end
//         write(result.packet.view().samples<float>());
//
// Rules for every class:
// - Ownership: each object owns one handle of the C library and frees it exactly once. Objects move
//   and don't copy (rmedia::error alone is copied, and shares). One that was moved from is empty:
//   it may be destroyed, assigned to, and asked with `if (object)`. Moving to itself changes nothing.
// - Errors: a function that can fail comes twice, as in std::filesystem: without an rmedia::error&
//   it throws rmedia::error; with one as its last parameter it is noexcept, fills it, and returns the
//   status or an empty object. A success empties it. Where exceptions are off (-fno-exceptions), or
//   with RMEDIA_NO_EXCEPTIONS, only the second form is there. Answers that are no failures
//   (status::full, status::end, ...) are returned by both and never thrown.
// - Threads: a const object, a pipeline and an engine may be used by all threads at once. Moving,
//   assigning and destroying an object are for one thread at a time, while no other uses it.
// - Exceptions of the program never reach the library: one that leaves a node's constructor,
//   `process` or `drain` becomes the error of its pipeline; one that leaves another callback (a
//   release, a wakeup, a factory's destructor) ends the program, as it would in a destructor.
// - Cost: push of samples, pull and view allocate nothing here and are one call into the library.

#ifndef RMEDIA_HPP
#define RMEDIA_HPP

#include "rmedia.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if __has_include(<version>)
#include <version>
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif

#if !defined(__cpp_exceptions) && !defined(RMEDIA_NO_EXCEPTIONS)
#define RMEDIA_NO_EXCEPTIONS
#endif
#if !defined(RMEDIA_NO_EXCEPTIONS)
#include <stdexcept>
#endif

// Files of one program may be compiled in different ways: what differs has different names.
#if defined(RMEDIA_NO_EXCEPTIONS) && defined(__cpp_lib_span)
#define RMEDIA_CPP_ABI v0_1_noexcept_span
#elif defined(RMEDIA_NO_EXCEPTIONS)
#define RMEDIA_CPP_ABI v0_1_noexcept
#elif defined(__cpp_lib_span)
#define RMEDIA_CPP_ABI v0_1_span
#else
#define RMEDIA_CPP_ABI v0_1
#endif

namespace rmedia {
inline namespace RMEDIA_CPP_ABI {

/// What a call answers: RMEDIA_... of rmedia.h. Positive ones are no failures, negative ones are;
/// a newer library may give numbers that have no name here.
enum class status : std::int32_t {
    ok = RMEDIA_OK,
    end = RMEDIA_END,
    need_input = RMEDIA_NEED_INPUT,
    full = RMEDIA_FULL,
    in_flight = RMEDIA_IN_FLIGHT,
    busy = RMEDIA_BUSY,
    host = RMEDIA_HOST,
    cut = RMEDIA_CUT,
    empty = RMEDIA_EMPTY,
    due = RMEDIA_DUE,
    interrupted = RMEDIA_INTERRUPTED,
    invalid_argument = RMEDIA_E_INVALID_ARGUMENT,
    invalid_manifest = RMEDIA_E_INVALID_MANIFEST,
    not_found = RMEDIA_E_NOT_FOUND,
    unsupported = RMEDIA_E_UNSUPPORTED,
    format = RMEDIA_E_FORMAT,
    io = RMEDIA_E_IO,
    limit = RMEDIA_E_LIMIT,
    state = RMEDIA_E_STATE,
    closed = RMEDIA_E_CLOSED,
    cancelled = RMEDIA_E_CANCELLED,
    node = RMEDIA_E_NODE,
    panic = RMEDIA_E_PANIC,
    reentrant = RMEDIA_E_REENTRANT,
    late = RMEDIA_E_LATE,
    bad_handle = RMEDIA_E_BAD_HANDLE,
    forked = RMEDIA_E_FORKED
};

/// Whether a status is a failure.
constexpr bool failed(status s) noexcept { return static_cast<std::int32_t>(s) < 0; }

/// The name of a status, e.g. "InvalidManifest".
inline const char *to_string(status s) noexcept {
    return rmedia_status_name(static_cast<std::int32_t>(s));
}

/// What a pipeline is doing.
enum class state : std::int32_t {
    running = RMEDIA_STATE_RUNNING,
    closing = RMEDIA_STATE_CLOSING,
    closed = RMEDIA_STATE_CLOSED,
    failed = RMEDIA_STATE_FAILED,
    cancelled = RMEDIA_STATE_CANCELLED
};

/// What a packet holds.
enum class kind : std::uint32_t {
    none = 0,
    audio = RMEDIA_KIND_AUDIO,
    video = RMEDIA_KIND_VIDEO,
    encoded = RMEDIA_KIND_ENCODED,
    tensor = RMEDIA_KIND_TENSOR,
    text = RMEDIA_KIND_TEXT,
    json = RMEDIA_KIND_JSON,
    record = RMEDIA_KIND_RECORD,
    bytes = RMEDIA_KIND_BYTES,
    file = RMEDIA_KIND_FILE
};

/// Samples of audio.
enum class sample : std::uint32_t {
    f32 = RMEDIA_SAMPLE_F32,
    i16 = RMEDIA_SAMPLE_I16,
    i24 = RMEDIA_SAMPLE_I24,
    i32 = RMEDIA_SAMPLE_I32,
    u8 = RMEDIA_SAMPLE_U8
};

/// Where wrapped memory is released.
enum class release : std::uint32_t {
    /// Wherever the last reference goes.
    direct = RMEDIA_RELEASE_DIRECT,
    /// In engine::run_releases.
    deferred = RMEDIA_RELEASE_DEFERRED
};

/// What a host node is asked to do.
enum class job_kind : std::uint32_t {
    none = 0,
    process = RMEDIA_JOB_PROCESS,
    drain = RMEDIA_JOB_DRAIN,
    reset = RMEDIA_JOB_RESET,
    params = RMEDIA_JOB_PARAMS,
    close = RMEDIA_JOB_CLOSE
};

/// The only input; any output; all inputs.
inline constexpr std::uint32_t any = RMEDIA_ANY;

/// The version of the loaded library, e.g. "0.1.0".
inline const char *version() noexcept { return rmedia_version(); }

/// Whether the loaded library has a feature: "media", "fft", "wait_handle".
inline bool has_feature(const char *name) noexcept { return rmedia_has_feature(name) != 0; }

#if defined(__cpp_lib_span)
template <class T> using span = std::span<T>;
#else
/// As much of std::span as is needed: a pointer and a number.
template <class T> class span {
  public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;

    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    /// Of anything with data() and size(): std::vector, std::array, std::string, a span of non-const.
    template <class C, class D = std::remove_pointer_t<decltype(std::declval<C &>().data())>,
              class = std::enable_if_t<std::is_convertible_v<D (*)[], T (*)[]> &&
                                       !std::is_same_v<std::decay_t<C>, span>>>
    constexpr span(C &&container) noexcept : data_(container.data()), size_(container.size()) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }
    constexpr T &front() const noexcept { return data_[0]; }
    constexpr T &back() const noexcept { return data_[size_ - 1]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr span first(std::size_t count) const noexcept { return {data_, count}; }
    constexpr span subspan(std::size_t offset) const noexcept {
        return {data_ + offset, size_ - offset};
    }
    constexpr span subspan(std::size_t offset, std::size_t count) const noexcept {
        return {data_ + offset, count};
    }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};
#endif

/// How long a call waits. Any std::chrono duration is one; parts of a millisecond count as a whole.
class timeout {
  public:
    template <class Rep, class Period>
    constexpr timeout(std::chrono::duration<Rep, Period> time) noexcept : ms_(whole(time)) {}
    constexpr std::int32_t ms() const noexcept { return ms_; }
    static constexpr timeout raw(std::int32_t ms) noexcept { return timeout(ms); }

  private:
    constexpr explicit timeout(std::int32_t ms) noexcept : ms_(ms) {}
    template <class Duration> static constexpr std::int32_t whole(Duration time) noexcept {
        using milliseconds = std::chrono::duration<std::int64_t, std::milli>;
        if (time <= Duration::zero()) return RMEDIA_TRY;
        if (time >= std::chrono::hours(24 * 24)) return 24 * 24 * 3600 * 1000;
        const auto rounded = std::chrono::duration_cast<milliseconds>(time);
        return static_cast<std::int32_t>(rounded.count() + (rounded < time ? 1 : 0));
    }
    std::int32_t ms_;
};

inline constexpr timeout no_wait = timeout::raw(RMEDIA_TRY);
inline constexpr timeout forever = timeout::raw(RMEDIA_FOREVER);

namespace detail {

/// A text that ends with a zero byte.
class cstr {
  public:
    cstr(const char *text) noexcept : text_(text) {}
    cstr(const std::string &text) noexcept : text_(text.c_str()) {}
    const char *get() const noexcept { return text_; }

  private:
    const char *text_;
};

/// A handle with one owner.
template <class Handle, std::int32_t (*Free)(Handle)> class owned {
  public:
    owned() noexcept = default;
    explicit owned(Handle handle) noexcept : handle_(handle) {}
    owned(owned &&other) noexcept : handle_(other.give()) {}
    owned &operator=(owned &&other) noexcept {
        if (this != &other) {
            // The new one is in its place before the old one goes: freeing may run the program's code.
            const owned former(std::exchange(handle_, other.give()));
        }
        return *this;
    }
    owned(const owned &) = delete;
    owned &operator=(const owned &) = delete;
    ~owned() {
        if (handle_.id != 0) Free(handle_);
    }
    Handle get() const noexcept { return handle_; }
    /// Where a call writes a handle that it makes. Only for one that is empty.
    Handle *out() noexcept { return &handle_; }
    Handle give() noexcept { return std::exchange(handle_, Handle{}); }
    explicit operator bool() const noexcept { return handle_.id != 0; }

  private:
    Handle handle_{};
};

/// What a failure says; shared by the copies of its error.
struct failure {
    std::atomic<std::uint32_t> references{1};
    rmedia_error_t handle{};
    std::array<char, 160> text{};
};

/// Whether the loaded library is one that this header is for. Asked once.
inline bool abi_fits() noexcept {
    static const bool fits =
        (rmedia_abi_version() >> 8) == (static_cast<std::uint32_t>(RMEDIA_ABI_VERSION) >> 8);
    return fits;
}

} // namespace detail

/// Why a call failed. Copies are cheap and share what they say.
///
/// As a parameter: `rmedia::error e; p.end(rmedia::any, e); if (e) { ... }`. Its texts live as long
/// as it or a copy.
class error
#if !defined(RMEDIA_NO_EXCEPTIONS)
    : public std::runtime_error
#endif
{
  public:
#if defined(RMEDIA_NO_EXCEPTIONS)
    error() noexcept = default;
    ~error() { drop(); }
#else
    error() : std::runtime_error("") {}
    ~error() override { drop(); }
    const char *what() const noexcept override { return message(); }
#endif
    error(const error &other) noexcept
        :
#if !defined(RMEDIA_NO_EXCEPTIONS)
          std::runtime_error(other),
#endif
          status_(other.status_), failure_(other.failure_) {
        if (failure_ != nullptr) failure_->references.fetch_add(1, std::memory_order_relaxed);
    }
    error &operator=(const error &other) noexcept {
        const error kept(other);
        std::swap(status_, const_cast<error &>(kept).status_);
        std::swap(failure_, const_cast<error &>(kept).failure_);
        return *this;
    }

    /// Whether there is one.
    explicit operator bool() const noexcept { return status_ != rmedia::status::ok; }
    rmedia::status status() const noexcept { return status_; }
    /// The stable id of what went wrong, e.g. "manifest.unknown_param"; "" where there is none.
    const char *detail() const noexcept { return said(rmedia_error_detail, ""); }
    /// What went wrong, where, and what to do, in one line.
    const char *message() const noexcept {
        if (failure_ != nullptr && !has_handle()) return failure_->text.data();
        // In a forked child the library makes no errors, and says the same for all of them.
        if (status_ == status::forked) return rmedia_error_message(rmedia_error_t{});
        return said(rmedia_error_message, to_string(status_));
    }
    /// All of it as JSON: {status, code, detail, message, node?, problems?, ...}; "{}" where the
    /// library said no more than a status.
    const char *json() const noexcept { return said(rmedia_error_json, "{}"); }
    void clear() noexcept {
        drop();
        failure_ = nullptr;
        status_ = rmedia::status::ok;
    }

    /// Takes what a call of rmedia.h has given, and gives it on as a status. No failure: empties.
    rmedia::status keep(std::int32_t result, rmedia_error_t handle = {}) noexcept {
        if (status_ != rmedia::status::ok) clear();
        if (result < 0) {
            status_ = static_cast<rmedia::status>(result);
            if (handle.id != 0) {
                failure_ = new (std::nothrow) detail::failure;
                if (failure_ != nullptr) {
                    failure_->handle = handle;
                } else {
                    rmedia_error_release(handle);
                }
            }
        }
        return static_cast<rmedia::status>(result);
    }
    /// An error of this header's own.
    rmedia::status set(rmedia::status s, const char *text) noexcept {
        clear();
        status_ = s;
        failure_ = new (std::nothrow) detail::failure;
        if (failure_ != nullptr) {
            std::snprintf(failure_->text.data(), failure_->text.size(), "%s", text);
        }
        return s;
    }

  private:
    /// What the library says, or that: in a forked child it says nothing.
    template <class Ask> const char *said(Ask ask, const char *otherwise) const noexcept {
        const char *const text = has_handle() ? ask(failure_->handle) : nullptr;
        return text != nullptr ? text : otherwise;
    }
    bool has_handle() const noexcept { return failure_ != nullptr && failure_->handle.id != 0; }
    void drop() noexcept {
        if (failure_ != nullptr &&
            failure_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            rmedia_error_release(failure_->handle);
            delete failure_;
        }
    }

    rmedia::status status_ = rmedia::status::ok;
    detail::failure *failure_ = nullptr;
};

namespace detail {

#if !defined(RMEDIA_NO_EXCEPTIONS)
[[noreturn]] inline void raise(std::int32_t result, rmedia_error_t handle) {
    error e;
    e.keep(result, handle);
    throw e;
}

/// Throws what a call has given, if it is a failure.
inline status check(std::int32_t result, rmedia_error_t handle = {}) {
    if (result < 0) raise(result, handle);
    return static_cast<status>(result);
}

/// Calls the form of a function that doesn't throw, and throws.
template <class F> decltype(auto) throwing(F &&call) {
    error e;
    auto result = std::forward<F>(call)(e);
    if (e) throw e;
    return result;
}
#endif

/// Fills `e` if the loaded library is another one than this header is for.
inline bool check_abi(error &e) noexcept {
    if (abi_fits()) return true;
    std::array<char, 160> text{};
    const auto header = static_cast<std::uint32_t>(RMEDIA_ABI_VERSION);
    const std::uint32_t library = rmedia_abi_version();
    std::snprintf(text.data(), text.size(),
                  "the program is built for librmedia %u.%u, but librmedia %u.%u is loaded: "
                  "build it anew, or install the other version",
                  header >> 24, (header >> 8) & 0xffff, library >> 24, (library >> 8) & 0xffff);
    e.set(status::unsupported, text.data());
    return false;
}

/// Hands a function to a call of the library that keeps it until another one is set.
template <class Handle, class Set>
status set_wakeup(Handle handle, Set set, std::function<void()> wakeup, error &e) noexcept {
    if (!wakeup) return e.keep(set(handle, nullptr, nullptr, nullptr));
    using function = std::function<void()>;
    auto boxed = std::unique_ptr<function>(new (std::nothrow) function(std::move(wakeup)));
    if (boxed == nullptr) return e.set(status::limit, "there is no memory for a wakeup");
    const auto call = [](void *user) noexcept { (*static_cast<function *>(user))(); };
    const auto free = [](void *user) noexcept { delete static_cast<function *>(user); };
    const status answer = e.keep(set(handle, call, boxed.get(), free));
    if (answer == status::ok) boxed.release();
    return answer;
}

/// The sample format of a C++ type.
template <class T> struct sample_of;
template <> struct sample_of<float> {
    static constexpr sample value = sample::f32;
};
template <> struct sample_of<std::int16_t> {
    static constexpr sample value = sample::i16;
};
template <> struct sample_of<std::int32_t> {
    static constexpr sample value = sample::i32;
};
template <> struct sample_of<std::uint8_t> {
    static constexpr sample value = sample::u8;
};

} // namespace detail

/// A text that the library has made: JSON, mostly.
class string {
  public:
    string() noexcept = default;
    static string adopt(rmedia_string_t handle) noexcept { return string(handle); }

    /// Ends with a zero byte. Lives as long as this.
    const char *c_str() const noexcept {
        const char *const text = rmedia_string_data(handle_.get());
        return text != nullptr ? text : "";
    }
    std::string_view view() const noexcept {
        return {c_str(), rmedia_string_size(handle_.get())};
    }
    operator std::string_view() const noexcept { return view(); }
    std::string str() const { return std::string(view()); }
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  private:
    explicit string(rmedia_string_t handle) noexcept : handle_(handle) {}
    detail::owned<rmedia_string_t, rmedia_string_release> handle_;
};

/// Handles that are live in this process, as JSON. For tests.
inline string live() noexcept {
    rmedia_string_t json{};
    rmedia_live(&json);
    return string::adopt(json);
}

class engine;

/// What a packet is to be: rmedia_packet_info_t, begun. Points to the caller's memory.
struct packet_info {
    packet_info() noexcept : c(RMEDIA_PACKET_INFO_INIT) {}

    /// Interleaved audio; without `data` it is made without content, to be written.
    static packet_info audio(sample format, std::uint32_t rate, std::uint32_t channels,
                             std::size_t frames, const void *data = nullptr) noexcept {
        packet_info info = of(kind::audio, data, 0);
        info.c.format = static_cast<std::uint32_t>(format);
        info.c.rate = rate;
        info.c.channels = channels;
        info.c.frames = frames;
        return info;
    }
    /// Interleaved audio: anything with data and size (an array, std::vector, span, ...) of float,
    /// std::int16_t, std::int32_t or std::uint8_t.
    template <class Samples>
    static packet_info audio(const Samples &samples, std::uint32_t rate,
                             std::uint32_t channels) noexcept {
        using T = std::remove_cv_t<std::remove_pointer_t<decltype(std::data(samples))>>;
        const std::size_t frames = channels == 0 ? 0 : std::size(samples) / channels;
        packet_info info =
            audio(detail::sample_of<T>::value, rate, channels, frames, std::data(samples));
        info.c.size = std::size(samples) * sizeof(T); // Refused if it is no whole number of frames.
        return info;
    }
    static packet_info text(std::string_view text) noexcept {
        return of(kind::text, text.data(), text.size());
    }
    static packet_info json(std::string_view json) noexcept {
        return of(kind::json, json.data(), json.size());
    }
    static packet_info bytes(span<const std::byte> bytes) noexcept {
        return of(kind::bytes, bytes.data(), bytes.size());
    }

    packet_info &at(std::chrono::nanoseconds time) noexcept {
        c.flags |= static_cast<std::uint32_t>(RMEDIA_PACKET_PTS);
        c.pts_ns = time.count();
        return *this;
    }
    /// The stream breaks before this packet.
    packet_info &after_a_break() noexcept {
        c.flags |= static_cast<std::uint32_t>(RMEDIA_PACKET_DISCONT);
        return *this;
    }
    /// In the memory of that engine.
    packet_info &on(const engine &engine) noexcept;

    rmedia_packet_info_t c;

  private:
    static packet_info of(kind what, const void *data, std::size_t size) noexcept {
        packet_info info;
        info.c.kind = static_cast<std::uint32_t>(what);
        info.c.data = data;
        info.c.size = size;
        return info;
    }
};

class packet;

/// A look into a packet: what it points to lives as long as the packet (in a job: as the job).
class packet_view {
  public:
    packet_view() noexcept : info_(RMEDIA_PACKET_INFO_INIT) {}
    explicit packet_view(rmedia_packet_t handle) noexcept : packet_view() {
        if (handle.id != 0 && rmedia_packet_view(handle, &info_) == RMEDIA_OK) handle_ = handle;
    }

    /// False for a look into nothing.
    explicit operator bool() const noexcept { return handle_.id != 0; }
    rmedia::kind kind() const noexcept { return static_cast<rmedia::kind>(info_.kind); }
    /// All that rmedia.h says of it.
    const rmedia_packet_info_t &info() const noexcept { return info_; }
    rmedia_packet_t get() const noexcept { return handle_; }

    rmedia::sample sample() const noexcept { return static_cast<rmedia::sample>(info_.format); }
    std::uint32_t rate() const noexcept { return info_.rate; }
    std::uint32_t channels() const noexcept { return info_.channels; }
    std::size_t frames() const noexcept { return info_.frames; }
    bool is_planar() const noexcept { return has(RMEDIA_PACKET_PLANAR); }
    /// The stream breaks before this packet.
    bool is_after_a_break() const noexcept { return has(RMEDIA_PACKET_DISCONT); }
    std::optional<std::chrono::nanoseconds> time() const noexcept {
        if (!has(RMEDIA_PACKET_PTS)) return std::nullopt;
        return std::chrono::nanoseconds(info_.pts_ns);
    }
    std::chrono::nanoseconds duration() const noexcept {
        return std::chrono::nanoseconds(info_.duration_ns);
    }

    /// Interleaved audio (or a single channel) of that type; empty for everything else.
    template <class T> span<const T> samples() const noexcept {
        if (!is<T>() || (is_planar() && info_.channels > 1)) return {};
        return {static_cast<const T *>(info_.data), info_.frames * info_.channels};
    }
    /// One channel of planar audio of that type; empty for everything else.
    template <class T> span<const T> plane(std::uint32_t channel) const noexcept {
        if (!is<T>() || !is_planar() || channel >= info_.channels) return {};
        const auto *bytes = static_cast<const std::byte *>(info_.data) + channel * info_.stride;
        return {static_cast<const T *>(static_cast<const void *>(bytes)), info_.frames};
    }
    /// Text, or a file's path; empty for everything else. No zero byte behind it.
    std::string_view text() const noexcept {
        const bool has_text = kind() == rmedia::kind::text || kind() == rmedia::kind::file;
        return has_text ? std::string_view(static_cast<const char *>(info_.data), info_.size)
                        : std::string_view();
    }
    /// The payload, whatever it is.
    span<const std::byte> bytes() const noexcept {
        return {static_cast<const std::byte *>(info_.data), info_.size};
    }

    /// A handle of one's own, to keep the packet longer.
    packet share(error &e) const noexcept;
    /// The value of a json packet or the fields of a record. Fails for other kinds.
    string json(error &e) const noexcept {
        rmedia_string_t json{};
        e.keep(rmedia_packet_json(handle_, &json));
        return string::adopt(json);
    }
#if !defined(RMEDIA_NO_EXCEPTIONS)
    packet share() const;
    string json() const {
        rmedia_string_t json{};
        detail::check(rmedia_packet_json(handle_, &json));
        return string::adopt(json);
    }
#endif

  private:
    bool has(int flag) const noexcept { return (info_.flags & static_cast<unsigned>(flag)) != 0; }
    template <class T> bool is() const noexcept {
        return kind() == rmedia::kind::audio && sample() == detail::sample_of<T>::value;
    }

    rmedia_packet_t handle_{};
    rmedia_packet_info_t info_;
};

/// A packet: the only owner of its handle.
class packet {
  public:
    packet() noexcept = default;
    /// Takes over a handle that was got from rmedia.h.
    static packet adopt(rmedia_packet_t handle) noexcept { return packet(handle); }

    /// Makes one in the engine's memory, with a copy of what `info` points to.
    static packet create(const packet_info &info, error &e) noexcept {
        packet made;
        rmedia_error_t why{};
        e.keep(rmedia_packet_create(&info.c, made.handle_.out(), &why), why);
        return made;
    }
    /// Interleaved audio: anything with data and size of float, std::int16_t, ...
    template <class Samples>
    static packet audio(const Samples &samples, std::uint32_t rate, std::uint32_t channels,
                        error &e) noexcept {
        return create(packet_info::audio(samples, rate, channels), e);
    }
    static packet text(std::string_view text, error &e) noexcept {
        return create(packet_info::text(text), e);
    }
    static packet json(std::string_view json, error &e) noexcept {
        return create(packet_info::json(json), e);
    }

    /// Makes one over memory of the program, without a copy. `release` is called exactly once, when
    /// the last reference has gone: on any thread (direct), or in engine::run_releases (deferred).
    /// When this fails it is destroyed and never called: the memory is still the caller's, unless
    /// `release` owns it. It must not wait, and what it throws ends the program.
    template <class F>
    static packet wrap(const packet_info &info, F release, rmedia::release mode,
                       error &e) noexcept {
        auto boxed = std::unique_ptr<F>(new (std::nothrow) F(std::move(release)));
        if (boxed == nullptr) {
            e.set(status::limit, "there is no memory for a packet's release");
            return {};
        }
        packet made;
        rmedia_error_t why{};
        const auto run = [](void *user) noexcept { (*std::unique_ptr<F>(static_cast<F *>(user)))(); };
        const std::int32_t result =
            rmedia_packet_wrap(&info.c, static_cast<std::uint32_t>(mode), run, boxed.get(),
                               made.handle_.out(), &why);
        if (e.keep(result, why) == status::ok) boxed.release();
        return made;
    }
    /// Makes one of interleaved audio that lies in a vector, without a copy; takes the vector.
    template <class T>
    static packet wrap(std::vector<T> &&samples, std::uint32_t rate, std::uint32_t channels,
                       error &e) noexcept {
        const auto info = packet_info::audio(samples, rate, channels);
        auto owner = [kept = std::move(samples)]() noexcept {};
        return wrap(info, std::move(owner), rmedia::release::direct, e);
    }

    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
    rmedia_packet_t get() const noexcept { return handle_.get(); }
    /// Gives the handle away, to code that uses rmedia.h.
    rmedia_packet_t give() noexcept { return handle_.give(); }
    packet_view view() const noexcept { return packet_view(get()); }

    /// Another handle to the same packet, without a copy.
    packet share(error &e) const noexcept {
        rmedia_packet_t shared{};
        return e.keep(rmedia_packet_share(get(), &shared)) == status::ok ? packet(shared) : packet();
    }
    /// A part of an audio packet, without a copy: `frames` frames from the frame `first` on.
    packet slice(std::size_t first, std::size_t frames, error &e) const noexcept {
        packet part;
        rmedia_error_t why{};
        e.keep(rmedia_packet_slice(get(), first, frames, part.handle_.out(), &why), why);
        return part;
    }
    /// The payload for writing, while nothing else refers to its memory and that is the engine's.
    /// Write before it is pushed. T is the samples' type, or std::byte.
    template <class T> span<T> writable(error &e) const noexcept {
        void *data = nullptr;
        if (e.keep(rmedia_packet_data(get(), &data)) != status::ok) return {};
        const packet_view look = view();
        if constexpr (!std::is_same_v<T, std::byte>) {
            if (look.kind() != rmedia::kind::audio ||
                look.sample() != detail::sample_of<T>::value) {
                e.set(status::format, "the packet's samples are of another type");
                return {};
            }
        }
        return {static_cast<T *>(data), look.info().size / sizeof(T)};
    }
    /// The value of a json packet or the fields of a record. Fails for other kinds.
    string json(error &e) const noexcept { return view().json(e); }

#if !defined(RMEDIA_NO_EXCEPTIONS)
    static packet create(const packet_info &info) {
        packet made;
        rmedia_error_t why{};
        detail::check(rmedia_packet_create(&info.c, made.handle_.out(), &why), why);
        return made;
    }
    template <class Samples>
    static packet audio(const Samples &samples, std::uint32_t rate, std::uint32_t channels) {
        return create(packet_info::audio(samples, rate, channels));
    }
    static packet text(std::string_view text) { return create(packet_info::text(text)); }
    static packet json(std::string_view json) { return create(packet_info::json(json)); }
    template <class F>
    static packet wrap(const packet_info &info, F release,
                       rmedia::release mode = rmedia::release::direct) {
        return detail::throwing([&](error &e) { return wrap(info, std::move(release), mode, e); });
    }
    template <class T>
    static packet wrap(std::vector<T> &&samples, std::uint32_t rate, std::uint32_t channels) {
        return detail::throwing(
            [&](error &e) { return wrap(std::move(samples), rate, channels, e); });
    }
    packet share() const {
        return detail::throwing([&](error &e) { return share(e); });
    }
    packet slice(std::size_t first, std::size_t frames) const {
        packet part;
        rmedia_error_t why{};
        detail::check(rmedia_packet_slice(get(), first, frames, part.handle_.out(), &why), why);
        return part;
    }
    template <class T> span<T> writable() const {
        return detail::throwing([&](error &e) { return writable<T>(e); });
    }
    string json() const { return view().json(); }
#endif

  private:
    friend class pipeline;
    friend class packet_view;
    explicit packet(rmedia_packet_t handle) noexcept : handle_(handle) {}
    detail::owned<rmedia_packet_t, rmedia_packet_release> handle_;
};

inline packet packet_view::share(error &e) const noexcept {
    rmedia_packet_t shared{};
    return e.keep(rmedia_packet_share(handle_, &shared)) == status::ok ? packet(shared) : packet();
}
#if !defined(RMEDIA_NO_EXCEPTIONS)
inline packet packet_view::share() const {
    return detail::throwing([&](error &e) { return share(e); });
}
#endif

/// A job that was taken from the queue, or that a node's function keeps: it goes on until it is
/// done or has failed. One that is dropped before fails.
class host_job {
  public:
    host_job() noexcept : info_(RMEDIA_JOB_INFO_INIT) {}
    explicit host_job(const rmedia_job_info_t &info) noexcept : info_(info) {}
    host_job(host_job &&other) noexcept : host_job() { std::swap(info_, other.info_); }
    host_job &operator=(host_job &&other) noexcept {
        host_job taken(std::move(other));
        std::swap(info_, taken.info_);
        return *this;
    }
    host_job(const host_job &) = delete;
    host_job &operator=(const host_job &) = delete;
    ~host_job() { fail("the job was dropped before it was done"); }

    explicit operator bool() const noexcept { return info_.job.id != 0; }
    rmedia_job_t get() const noexcept { return info_.job; }
    job_kind kind() const noexcept { return static_cast<job_kind>(info_.kind); }
    /// The node: a number of its own for each.
    std::uint64_t node() const noexcept { return info_.node; }
    /// The full name of its type. Lives as long as the job.
    const char *node_type() const noexcept { return info_.node_type; }
    /// Its params as JSON, complete with defaults. Lives as long as the job.
    const char *params() const noexcept { return info_.params; }
    /// The input port that the packet came to.
    std::uint32_t port() const noexcept { return info_.port; }
    /// The packet, lent until the job ends. Empty but for job_kind::process.
    packet_view packet() const noexcept { return packet_view(info_.packet); }

    /// Emits a packet on an output port; it is taken on success.
    rmedia::status emit(rmedia::packet &&packet, std::uint32_t port, error &e) noexcept {
        rmedia_error_t why{};
        const auto result = e.keep(rmedia_job_emit(get(), port, packet.get(), &why), why);
        if (result == status::ok) packet.give();
        return result;
    }
    /// Emits the packet that was lent, as it is.
    rmedia::status forward(std::uint32_t port, error &e) noexcept {
        rmedia::packet shared = packet().share(e);
        return e ? e.status() : emit(std::move(shared), port, e);
    }
    /// Whether nobody wants the result any more; the job has to be ended all the same.
    bool is_cancelled() const noexcept { return rmedia_job_is_cancelled(get()) == 1; }
    /// Ends the job; what it emitted goes on.
    rmedia::status done() noexcept { return static_cast<rmedia::status>(rmedia_job_done(take())); }
    /// Ends the job, and with it its pipeline, with a message for people.
    rmedia::status fail(detail::cstr why) noexcept {
        const rmedia_job_t job = take();
        if (job.id == 0) return status::bad_handle;
        return static_cast<rmedia::status>(rmedia_job_fail(job, why.get()));
    }
#if !defined(RMEDIA_NO_EXCEPTIONS)
    void emit(rmedia::packet &&packet, std::uint32_t port = 0) {
        rmedia_error_t why{};
        detail::check(rmedia_job_emit(get(), port, packet.get(), &why), why);
        packet.give();
    }
    void forward(std::uint32_t port = 0) { emit(packet().share(), port); }
#endif

  private:
    rmedia_job_t take() noexcept { return std::exchange(info_.job, rmedia_job_t{}); }
    rmedia_job_info_t info_;
};

/// The job that a node's function works on: lives as long as the call.
class job {
  public:
    job(rmedia_job_t handle, rmedia_packet_t lent) noexcept : handle_(handle), lent_(lent) {}
    job(const job &) = delete;
    job &operator=(const job &) = delete;

    rmedia_job_t get() const noexcept { return handle_; }
    /// Emits a packet on an output port; it is taken on success.
    rmedia::status emit(packet &&packet, std::uint32_t port, error &e) noexcept {
        rmedia_error_t why{};
        const auto result = e.keep(rmedia_job_emit(handle_, port, packet.get(), &why), why);
        if (result == status::ok) packet.give();
        return result;
    }
    /// Emits the packet that was lent, as it is. What the node keeps (packet_view::share) stays
    /// good.
    rmedia::status forward(std::uint32_t port, error &e) noexcept {
        packet shared = packet_view(lent_).share(e);
        return e ? e.status() : emit(std::move(shared), port, e);
    }
    /// Says why the node fails. Return what this returns, or throw instead.
    rmedia::status fail(detail::cstr why) noexcept {
        rmedia_job_fail(handle_, why.get());
        return status::node;
    }
    /// Lets the job go on after the function has returned: another thread ends it. The type's
    /// declaration must say how many may be open at a time (`max_in_flight`).
    host_job keep() noexcept {
        rmedia_job_info_t info = RMEDIA_JOB_INFO_INIT;
        info.kind = static_cast<std::uint32_t>(lent_.id != 0 ? job_kind::process : job_kind::drain);
        info.job = handle_;
        info.packet = lent_;
        kept_ = true;
        return host_job(info);
    }
    bool is_kept() const noexcept { return kept_; }
#if !defined(RMEDIA_NO_EXCEPTIONS)
    void emit(packet &&packet, std::uint32_t port = 0) {
        rmedia_error_t why{};
        detail::check(rmedia_job_emit(handle_, port, packet.get(), &why), why);
        packet.give();
    }
    void forward(std::uint32_t port = 0) { emit(packet_view(lent_).share(), port); }
#endif

  private:
    rmedia_job_t handle_;
    rmedia_packet_t lent_;
    bool kept_ = false;
};

/// Base of a node of the program.
///
///     struct halve : rmedia::node<halve> {
///         static constexpr const char *declaration = R"({"name": "my/Halve", ...})";
///         void process(rmedia::job &job, rmedia::packet_view in);
///     };
///     engine.add<halve>();
///
/// It is made with its params as JSON if it has a constructor for a std::string_view, else without.
/// `process` and `drain` return nothing, or a status (`return job.fail("why")`); they and the
/// constructor may throw. The functions of one node are called one at a time, on the threads that run
/// its pipeline, and must not call that pipeline.
template <class Self> class node {
  public:
    /// Emits what is still inside; afterwards the node is as new. Has the input port as `port`.
    void drain(job &) { static_cast<Self *>(this)->reset(); }
    /// Forgets what is inside; params stay. Can't fail: noexcept in every node.
    void reset() noexcept {}
    /// Takes new values for its live params: JSON, complete. Can't fail: noexcept in every node.
    void set_params(std::string_view) noexcept {}

  protected:
    node() noexcept = default;
    node(const node &) noexcept = default;
    node &operator=(const node &) noexcept = default;
    ~node() = default;
};

namespace detail {

/// The functions of a node type, as the library calls them. Nothing leaves them but a status.
template <class Node, class Factory> struct functions {
    template <class F> static std::int32_t guarded(rmedia_job_t handle, F call) noexcept {
#if defined(__cpp_exceptions)
        try {
            return call();
        } catch (const std::exception &e) {
            rmedia_job_fail(handle, e.what());
        } catch (...) {
            rmedia_job_fail(handle, "the node threw something that is no std::exception");
        }
        return RMEDIA_E_NODE;
#else
        static_cast<void>(handle);
        return call();
#endif
    }

    /// The status of a function that may return none, or keep its job.
    template <class F> static std::int32_t ran(job &with, F call) {
        if constexpr (std::is_void_v<decltype(call())>) {
            call();
        } else {
            const status result = call();
            if (result != status::ok) return static_cast<std::int32_t>(result);
        }
        return with.is_kept() ? RMEDIA_IN_FLIGHT : RMEDIA_OK;
    }

    static std::int32_t create(void *user, rmedia_job_t handle, const char *params,
                               void **made) noexcept {
        return guarded(handle, [&]() -> std::int32_t {
            std::unique_ptr<Node> fresh = (*static_cast<Factory *>(user))(std::string_view(params));
            if (fresh == nullptr) {
                rmedia_job_fail(handle, "the factory made no node");
                return RMEDIA_E_NODE;
            }
            *made = fresh.release();
            return RMEDIA_OK;
        });
    }
    static std::int32_t process(void *self, rmedia_job_t handle, std::uint32_t port,
                                rmedia_packet_t packet) noexcept {
        return guarded(handle, [&] {
            job with(handle, packet);
            Node &it = *static_cast<Node *>(self);
            const packet_view look(packet);
            if constexpr (std::is_invocable_v<decltype(&Node::process), Node &, job &, packet_view,
                                              std::uint32_t>) {
                return ran(with, [&] { return it.process(with, look, port); });
            } else {
                static_cast<void>(port);
                return ran(with, [&] { return it.process(with, look); });
            }
        });
    }
    static std::int32_t drain(void *self, rmedia_job_t handle) noexcept {
        return guarded(handle, [&] {
            job with(handle, rmedia_packet_t{});
            return ran(with, [&] { return static_cast<Node *>(self)->drain(with); });
        });
    }
    static void reset(void *self) noexcept { static_cast<Node *>(self)->reset(); }
    static void set_params(void *self, const char *params) noexcept {
        static_cast<Node *>(self)->set_params(std::string_view(params));
    }
    static void destroy(void *self) noexcept { delete static_cast<Node *>(self); }
    static void free(void *user) noexcept { delete static_cast<Factory *>(user); }
};

/// Makes nodes by their constructors.
template <class Node> struct constructing {
    std::unique_ptr<Node> operator()(std::string_view params) const {
        if constexpr (std::is_constructible_v<Node, std::string_view>) {
            return std::make_unique<Node>(params);
        } else {
            return std::make_unique<Node>();
        }
    }
};

} // namespace detail

/// An engine: node types, memory, the log. One that is made without anything is the default engine,
/// which needs no making and outlives its objects.
class engine {
  public:
    engine() noexcept = default;

    /// Makes one of its own. `memory_limit`: most bytes that its packets may hold; 0: 4 GiB.
    static engine create(std::uint64_t memory_limit, error &e) noexcept {
        engine made;
        if (!detail::check_abi(e)) return made;
        rmedia_engine_options_t options = RMEDIA_ENGINE_OPTIONS_INIT;
        options.memory_limit = memory_limit;
        rmedia_error_t why{};
        e.keep(rmedia_engine_create(&options, made.handle_.out(), &why), why);
        return made;
    }
    rmedia_engine_t get() const noexcept { return handle_.get(); }
    bool is_default() const noexcept { return !handle_; }

    /// Adds a node type: a class that derives from node<itself>, made by its constructor.
    template <class Node> status add(error &e) noexcept {
        return add<Node>(detail::constructing<Node>{}, e);
    }
    /// The same, made by a factory: std::unique_ptr<Node>(std::string_view params), which may be
    /// called by several threads at once and may throw.
    template <class Node, class Factory> status add(Factory factory, error &e) noexcept {
        static_assert(std::is_base_of_v<node<Node>, Node>, "a node derives from rmedia::node<itself>");
        static_assert(noexcept(std::declval<Node &>().reset()), "reset() can't fail: noexcept");
        static_assert(noexcept(std::declval<Node &>().set_params(std::string_view())),
                      "set_params() can't fail: noexcept");
        using functions = detail::functions<Node, Factory>;
        if (!detail::check_abi(e)) return e.status();
        auto boxed = std::unique_ptr<Factory>(new (std::nothrow) Factory(std::move(factory)));
        if (boxed == nullptr) return e.set(status::limit, "there is no memory for a node type");
        rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
        type.declaration = detail::cstr(Node::declaration).get();
        type.user = boxed.get();
        type.free = functions::free;
        type.create = functions::create;
        type.process = functions::process;
        type.drain = functions::drain;
        type.reset = functions::reset;
        type.set_params = functions::set_params;
        type.destroy = functions::destroy;
        rmedia_error_t why{};
        const status added = e.keep(rmedia_engine_add_node(get(), &type, &why), why);
        if (added == status::ok) boxed.release();
        return added;
    }
    /// Adds a node type whose jobs the program takes with next_job.
    status add_host(detail::cstr declaration, error &e) noexcept {
        if (!detail::check_abi(e)) return e.status();
        rmedia_error_t why{};
        return e.keep(rmedia_engine_add_host_node(get(), declaration.get(), &why), why);
    }
    /// Takes the next job of the host nodes; an empty one when none comes within `wait`.
    host_job next_job(timeout wait, error &e) const noexcept {
        rmedia_job_info_t info = RMEDIA_JOB_INFO_INIT;
        rmedia_error_t why{};
        const status taken =
            e.keep(rmedia_engine_next_job(get(), wait.ms(), &info, &why), why);
        return taken == status::ok ? host_job(info) : host_job();
    }
    /// Runs at most `max` releases that wait (release::deferred), here. Gives how many.
    std::uint32_t run_releases(std::uint32_t max = UINT32_MAX) const noexcept {
        std::uint32_t count = 0;
        rmedia_engine_run_releases(get(), max, &count);
        return count;
    }
    /// The tag of the next pipeline that has something to do, of those that are watched
    /// (pipeline::watch): pull and take events until there are none. Empty: no pipeline has.
    std::optional<std::uint64_t> next_ready() const noexcept {
        rmedia_pipeline_t found{};
        std::uint64_t tag = 0;
        if (rmedia_engine_next_ready(get(), &found, &tag) != RMEDIA_OK) return std::nullopt;
        return tag;
    }
    /// A descriptor that is readable while jobs, releases or ready pipelines wait. It belongs to the
    /// engine.
    int wait_handle(error &e) const noexcept {
        std::int32_t fd = -1;
        e.keep(rmedia_engine_wait_handle(get(), &fd));
        return fd;
    }
    /// Has a function called when that descriptor would become readable; as pipeline::on_wakeup.
    status on_wakeup(std::function<void()> wakeup, error &e) noexcept {
        return detail::set_wakeup(get(), rmedia_engine_set_wakeup, std::move(wakeup), e);
    }
    /// The node types, as JSON.
    string nodes() const noexcept {
        rmedia_string_t json{};
        rmedia_engine_nodes(get(), &json);
        return string::adopt(json);
    }
    /// Checks a manifest: {ok, problems, ...} as JSON. Fails for a text that is not JSON or YAML.
    string validate(detail::cstr manifest, error &e) const noexcept {
        rmedia_string_t json{};
        rmedia_error_t why{};
        e.keep(rmedia_engine_validate(get(), manifest.get(), &json, &why), why);
        return string::adopt(json);
    }
    /// How many threads it has, as JSON: {pool, blocking, realtime}.
    string threads() const noexcept {
        rmedia_string_t json{};
        rmedia_engine_threads(get(), &json);
        return string::adopt(json);
    }
    /// The oldest line of the log, as JSON; empty when there is none.
    string next_log() const noexcept {
        rmedia_string_t line{};
        rmedia_engine_next_log(get(), &line);
        return string::adopt(line);
    }
#if !defined(RMEDIA_NO_EXCEPTIONS)
    static engine create(std::uint64_t memory_limit = 0) {
        return detail::throwing([&](error &e) { return create(memory_limit, e); });
    }
    template <class Node> void add() {
        detail::throwing([&](error &e) { return add<Node>(e); });
    }
    template <class Node, class Factory,
              class = std::enable_if_t<std::is_invocable_v<Factory &, std::string_view>>>
    void add(Factory factory) {
        detail::throwing([&](error &e) { return add<Node>(std::move(factory), e); });
    }
    void add_host(detail::cstr declaration) {
        detail::throwing([&](error &e) { return add_host(declaration, e); });
    }
    host_job next_job(timeout wait = forever) const {
        rmedia_job_info_t info = RMEDIA_JOB_INFO_INIT;
        rmedia_error_t why{};
        const status taken =
            detail::check(rmedia_engine_next_job(get(), wait.ms(), &info, &why), why);
        return taken == status::ok ? host_job(info) : host_job();
    }
    int wait_handle() const {
        return detail::throwing([&](error &e) { return wait_handle(e); });
    }
    void on_wakeup(std::function<void()> wakeup) {
        detail::throwing([&](error &e) { return on_wakeup(std::move(wakeup), e); });
    }
    string validate(detail::cstr manifest) const {
        return detail::throwing([&](error &e) { return validate(manifest, e); });
    }
#endif

  private:
    detail::owned<rmedia_engine_t, rmedia_engine_destroy> handle_;
};

inline packet_info &packet_info::on(const engine &engine) noexcept {
    c.engine = engine.get();
    return *this;
}

/// How a pipeline is made.
struct pipeline_options {
    pipeline_options() noexcept : c(RMEDIA_PIPELINE_OPTIONS_INIT) {}
    pipeline_options(const rmedia::engine &engine) noexcept : pipeline_options() { on(engine); }
    pipeline_options &on(const rmedia::engine &engine) noexcept {
        c.engine = engine.get();
        return *this;
    }
    /// The manifest comes from somewhere unknown: no files, no variables, tighter limits.
    pipeline_options &untrusted() noexcept {
        c.flags |= static_cast<std::uint32_t>(RMEDIA_PIPELINE_UNTRUSTED);
        return *this;
    }
    rmedia_pipeline_options_t c;
};

/// What a pull gives: a packet and where it came from, or why there is none.
struct pulled {
    /// Whether there is a packet.
    explicit operator bool() const noexcept { return answer == status::ok; }
    const rmedia::packet &operator*() const noexcept { return packet; }
    const rmedia::packet *operator->() const noexcept { return &packet; }

    rmedia::packet packet;
    /// ok; end, need_input, full, in_flight, busy, host; or a failure.
    status answer = status::empty;
    /// The index of the packet's output, or of the input, output or node that `answer` is about.
    std::uint32_t from = any;
};

class results;

/// A running pipeline. All functions but moves and the destructor may be called by all threads at
/// once. The destructor cancels: to get every result, end, pull to the end, then let go.
class pipeline {
  public:
    pipeline() noexcept = default;
    static pipeline adopt(rmedia_pipeline_t handle) noexcept {
        pipeline made;
        *made.handle_.out() = handle;
        return made;
    }

    /// Makes one from a manifest's file: .json, .yaml or .yml.
    static pipeline from_file(detail::cstr path, const pipeline_options &options,
                              error &e) noexcept {
        return made(rmedia_pipeline_create_from_file, path, options, e);
    }
    /// Makes one from a manifest's text, JSON or YAML.
    static pipeline from_text(detail::cstr manifest, const pipeline_options &options,
                              error &e) noexcept {
        return made(rmedia_pipeline_create, manifest, options, e);
    }

    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
    rmedia_pipeline_t get() const noexcept { return handle_.get(); }

    /// Pushes a copy of interleaved samples. ok: taken; full: pull, then push again; in_flight, due,
    /// busy, host: see rmedia.h.
    [[nodiscard]] status push(span<const float> samples, std::uint32_t rate, std::uint32_t channels,
                              std::uint32_t input, error &e) noexcept {
        if (channels == 0 || samples.size() % channels != 0) return ragged(e);
        rmedia_error_t why{};
        return e.keep(push_samples(samples, rate, channels, input, &why), why);
    }
    /// Pushes a packet. ok: it is taken and `packet` is empty; all else: it is still the caller's, also
    /// where an interrupt came while this waited (interrupted).
    [[nodiscard]] status push(packet &packet, std::uint32_t input, timeout wait,
                              error &e) noexcept {
        rmedia_error_t why{};
        return e.keep(push_packet(packet, input, wait, &why), why);
    }
    [[nodiscard]] status push(packet &&packet, std::uint32_t input, timeout wait,
                              error &e) noexcept {
        return push(packet, input, wait, e);
    }
    /// Pulls the next packet of one output, or of all in the order of emission.
    [[nodiscard]] pulled pull(timeout wait, std::uint32_t output, error &e) noexcept {
        pulled result;
        rmedia_error_t why{};
        result.answer = e.keep(pull_into(result, wait, output, &why), why);
        return result;
    }
    /// What there is to pull, for range-for, until a pull gives no packet. See results::answer.
    rmedia::results results(timeout wait, error &e) noexcept;
    /// Ends all inputs, then everything up to the end, for range-for. `e` says if it did not come.
    rmedia::results run(error &e) noexcept;

    status end(std::uint32_t input, error &e) noexcept {
        rmedia_error_t why{};
        return e.keep(rmedia_pipeline_end(get(), input, &why), why);
    }
    /// Says that nothing earlier will come into an input: what waits for it there goes on.
    status gap(std::chrono::nanoseconds until, std::uint32_t input, error &e) noexcept {
        rmedia_error_t why{};
        return e.keep(rmedia_pipeline_gap(get(), input, until.count(), &why), why);
    }
    /// Runs whatever can run, and pulls nothing.
    status advance(error &e) noexcept {
        rmedia_error_t why{};
        return e.keep(rmedia_pipeline_advance(get(), &why), why);
    }
    /// Forgets everything inside. Gives the number of the new epoch.
    std::uint32_t reset(error &e) noexcept {
        std::uint32_t epoch = 0;
        rmedia_error_t why{};
        e.keep(rmedia_pipeline_reset(get(), &epoch, &why), why);
        return epoch;
    }
    /// Forgets what lies behind where the manifest says. Gives the number of the new epoch.
    std::uint32_t interrupt(error &e) noexcept {
        std::uint32_t epoch = 0;
        rmedia_error_t why{};
        e.keep(rmedia_pipeline_interrupt(get(), &epoch, &why), why);
        return epoch;
    }
    /// Makes one that has come to its end ready for another run.
    status rewind(error &e) noexcept {
        rmedia_error_t why{};
        return e.keep(rmedia_pipeline_rewind(get(), &why), why);
    }
    /// Ends all inputs and works everything off; what nobody pulls is dropped. ok; cut: time was up
    /// first; host: it waits for a job that nobody serves: take it, then close again.
    status close(timeout wait, error &e) noexcept {
        rmedia_error_t why{};
        return e.keep(rmedia_pipeline_close(get(), wait.ms(), &why), why);
    }
    /// Stops at once, from any thread, also from inside its nodes.
    void cancel() noexcept { rmedia_pipeline_cancel(get()); }
    rmedia::state state(error &e) const noexcept {
        std::int32_t state = RMEDIA_STATE_CANCELLED;
        e.keep(rmedia_pipeline_state(get(), &state));
        return static_cast<rmedia::state>(state);
    }

    /// Sets live params of a node: a JSON object of those that change. Gives the number that its
    /// event will have. At a time: from the sample of that time on.
    std::uint64_t set_params(detail::cstr node, detail::cstr params, error &e) noexcept {
        return set(node, params, RMEDIA_NO_TIME, e);
    }
    std::uint64_t set_params(detail::cstr node, detail::cstr params, std::chrono::nanoseconds at,
                             error &e) noexcept {
        return set(node, params, at.count(), e);
    }

    /// The oldest event as JSON; empty when there is none.
    string next_event() noexcept {
        rmedia_string_t event{};
        rmedia_pipeline_next_event(get(), &event);
        return string::adopt(event);
    }
    /// All counters and times, as JSON.
    string metrics() const noexcept {
        rmedia_string_t json{};
        rmedia_pipeline_metrics(get(), &json);
        return string::adopt(json);
    }
    /// What runs, as JSON.
    string describe() const noexcept {
        rmedia_string_t json{};
        rmedia_pipeline_describe(get(), &json);
        return string::adopt(json);
    }
    /// The index of an input or output by its name.
    std::uint32_t input(detail::cstr name, error &e) const noexcept {
        return index(rmedia_pipeline_input, name, e);
    }
    std::uint32_t output(detail::cstr name, error &e) const noexcept {
        return index(rmedia_pipeline_output, name, e);
    }
    /// Names of the inputs and outputs, in the order of their indices.
    std::vector<std::string> inputs() const { return names(rmedia_pipeline_input_name); }
    std::vector<std::string> outputs() const { return names(rmedia_pipeline_output_name); }

    /// A descriptor for poll or an event loop, readable when there is something to pull or an event
    /// to take. It belongs to the pipeline: stop watching it before this is destroyed.
    int wait_handle(error &e) const noexcept {
        std::int32_t fd = -1;
        e.keep(rmedia_pipeline_wait_handle(get(), &fd));
        return fd;
    }
    /// Has a function called when the wait handle would become readable, on whatever thread changes
    /// the pipeline: it may only poke the program's own loop. An empty one takes the former away.
    /// When this returns, no call of the former runs or will begin.
    status on_wakeup(std::function<void()> wakeup, error &e) noexcept {
        return detail::set_wakeup(get(), rmedia_pipeline_set_wakeup, std::move(wakeup), e);
    }
    /// Has the engine tell of it: engine::next_ready gives the tag when the wait handle would become
    /// readable. One descriptor, the engine's, so serves any number of pipelines.
    status watch(std::uint64_t tag, error &e) noexcept {
        return e.keep(rmedia_pipeline_watch(get(), tag));
    }
    /// Takes that back. When it returns the engine does not tell of it any more.
    void unwatch() noexcept { rmedia_pipeline_unwatch(get()); }

#if !defined(RMEDIA_NO_EXCEPTIONS)
    static pipeline from_file(detail::cstr path, const pipeline_options &options = {}) {
        return detail::throwing([&](error &e) { return from_file(path, options, e); });
    }
    static pipeline from_text(detail::cstr manifest, const pipeline_options &options = {}) {
        return detail::throwing([&](error &e) { return from_text(manifest, options, e); });
    }
    [[nodiscard]] status push(span<const float> samples, std::uint32_t rate,
                              std::uint32_t channels = 1, std::uint32_t input = any) {
        if (channels == 0 || samples.size() % channels != 0) {
            detail::throwing([&](error &e) { return ragged(e); });
        }
        rmedia_error_t why{};
        return detail::check(push_samples(samples, rate, channels, input, &why), why);
    }
    [[nodiscard]] status push(packet &packet, std::uint32_t input = any, timeout wait = no_wait) {
        rmedia_error_t why{};
        return detail::check(push_packet(packet, input, wait, &why), why);
    }
    [[nodiscard]] status push(packet &&packet, std::uint32_t input = any, timeout wait = no_wait) {
        return push(packet, input, wait);
    }
    [[nodiscard]] pulled pull(timeout wait = no_wait, std::uint32_t output = any) {
        pulled result;
        rmedia_error_t why{};
        result.answer = detail::check(pull_into(result, wait, output, &why), why);
        return result;
    }
    rmedia::results results(timeout wait = no_wait);
    rmedia::results run();
    void end(std::uint32_t input = any) {
        rmedia_error_t why{};
        detail::check(rmedia_pipeline_end(get(), input, &why), why);
    }
    void gap(std::chrono::nanoseconds until, std::uint32_t input = any) {
        rmedia_error_t why{};
        detail::check(rmedia_pipeline_gap(get(), input, until.count(), &why), why);
    }
    void advance() {
        rmedia_error_t why{};
        detail::check(rmedia_pipeline_advance(get(), &why), why);
    }
    std::uint32_t reset() {
        return detail::throwing([&](error &e) { return reset(e); });
    }
    std::uint32_t interrupt() {
        return detail::throwing([&](error &e) { return interrupt(e); });
    }
    void rewind() {
        rmedia_error_t why{};
        detail::check(rmedia_pipeline_rewind(get(), &why), why);
    }
    status close(timeout wait = forever) {
        rmedia_error_t why{};
        return detail::check(rmedia_pipeline_close(get(), wait.ms(), &why), why);
    }
    rmedia::state state() const {
        std::int32_t state = RMEDIA_STATE_CANCELLED;
        detail::check(rmedia_pipeline_state(get(), &state));
        return static_cast<rmedia::state>(state);
    }
    std::uint64_t set_params(detail::cstr node, detail::cstr params) {
        return detail::throwing([&](error &e) { return set_params(node, params, e); });
    }
    std::uint64_t set_params(detail::cstr node, detail::cstr params, std::chrono::nanoseconds at) {
        return detail::throwing([&](error &e) { return set_params(node, params, at, e); });
    }
    std::uint32_t input(detail::cstr name) const {
        return detail::throwing([&](error &e) { return input(name, e); });
    }
    std::uint32_t output(detail::cstr name) const {
        return detail::throwing([&](error &e) { return output(name, e); });
    }
    int wait_handle() const {
        return detail::throwing([&](error &e) { return wait_handle(e); });
    }
    void on_wakeup(std::function<void()> wakeup) {
        detail::throwing([&](error &e) { return on_wakeup(std::move(wakeup), e); });
    }
    void watch(std::uint64_t tag) {
        detail::throwing([&](error &e) { return watch(tag, e); });
    }
#endif

  private:
    template <class Create>
    static pipeline made(Create create, detail::cstr from, const pipeline_options &options,
                         error &e) noexcept {
        pipeline fresh;
        if (!detail::check_abi(e)) return fresh;
        rmedia_error_t why{};
        e.keep(create(from.get(), &options.c, fresh.handle_.out(), &why), why);
        return fresh;
    }
    static status ragged(error &e) noexcept {
        return e.set(status::invalid_argument, "the samples are no whole number of frames");
    }
    std::int32_t push_samples(span<const float> samples, std::uint32_t rate, std::uint32_t channels,
                              std::uint32_t input, rmedia_error_t *why) noexcept {
        return rmedia_pipeline_push_f32(get(), input, samples.data(), samples.size() / channels,
                                        rate, channels, why);
    }
    std::int32_t push_packet(packet &packet, std::uint32_t input, timeout wait,
                             rmedia_error_t *why) noexcept {
        const std::int32_t result = rmedia_pipeline_push(get(), input, packet.get(), wait.ms(), why);
        // After a failure the handle is released by its owner, which is right whether the library
        // has taken the packet or not.
        if (result == RMEDIA_OK) packet.give();
        return result;
    }
    std::int32_t pull_into(pulled &result, timeout wait, std::uint32_t output,
                           rmedia_error_t *why) noexcept {
        return rmedia_pipeline_pull(get(), output, wait.ms(), result.packet.handle_.out(),
                                    &result.from, why);
    }
    std::uint64_t set(detail::cstr node, detail::cstr params, std::int64_t at, error &e) noexcept {
        std::uint64_t seq = 0;
        rmedia_error_t why{};
        e.keep(rmedia_pipeline_set_params(get(), node.get(), params.get(), at, &seq, &why), why);
        return seq;
    }
    template <class Name> std::vector<std::string> names(Name name) const {
        std::vector<std::string> found;
        rmedia_string_t next{};
        while (name(get(), static_cast<std::uint32_t>(found.size()), &next) == RMEDIA_OK) {
            found.emplace_back(string::adopt(next).view());
        }
        return found;
    }
    template <class Find>
    std::uint32_t index(Find find, detail::cstr name, error &e) const noexcept {
        std::uint32_t index = any;
        rmedia_error_t why{};
        e.keep(find(get(), name.get(), &index, &why), why);
        return index;
    }

    detail::owned<rmedia_pipeline_t, rmedia_pipeline_destroy> handle_;
};

/// Results of a pipeline for range-for. Holds one packet at a time; to keep it, move it out.
class results {
  public:
    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = pulled;
        using difference_type = std::ptrdiff_t;
        using pointer = pulled *;
        using reference = pulled &;

        pulled &operator*() const noexcept { return of_->current_; }
        pulled *operator->() const noexcept { return &of_->current_; }
        iterator &operator++() {
            of_->next();
            return *this;
        }
        void operator++(int) { of_->next(); }
        bool operator==(const iterator &other) const noexcept {
            return is_over() == other.is_over();
        }
        bool operator!=(const iterator &other) const noexcept { return !(*this == other); }

      private:
        friend class results;
        explicit iterator(results *of) noexcept : of_(of) {}
        bool is_over() const noexcept { return of_ == nullptr || !of_->current_; }
        results *of_;
    };

    /// Pulls the first.
    iterator begin() {
        if (current_.answer == status::empty) next();
        return iterator(this);
    }
    iterator end() const noexcept { return iterator(nullptr); }
    /// Why the last pull gave no packet: end, need_input, in_flight, ... or a failure.
    status answer() const noexcept { return current_.answer; }

  private:
    friend class pipeline;
    results(pipeline &of, timeout wait, bool to_the_end, error *e) noexcept
        : of_(&of), wait_(wait), to_the_end_(to_the_end), error_(e) {}

    void next() {
#if !defined(RMEDIA_NO_EXCEPTIONS)
        if (error_ == nullptr) {
            current_ = of_->pull(wait_);
            if (is_cut_off()) detail::throwing([this](error &e) { return stopped(e); });
            return;
        }
#endif
        current_ = of_->pull(wait_, any, *error_);
        if (!failed(current_.answer) && is_cut_off()) stopped(*error_);
    }
    bool is_cut_off() const noexcept {
        return to_the_end_ && !current_ && current_.answer != status::end;
    }
    /// Nothing but the program can bring the rest.
    status stopped(error &e) const noexcept {
        std::array<char, 160> text{};
        std::snprintf(text.data(), text.size(), "the pipeline stopped before its end: %s",
                      to_string(current_.answer));
        return e.set(status::state, text.data());
    }

    pipeline *of_;
    timeout wait_;
    bool to_the_end_;
    error *error_;
    pulled current_;
};

inline results pipeline::results(timeout wait, error &e) noexcept {
    return rmedia::results(*this, wait, false, &e);
}
inline results pipeline::run(error &e) noexcept {
    rmedia::results all(*this, forever, true, &e);
    all.current_.answer = end(any, e);
    if (!e) all.current_.answer = status::empty;
    return all;
}
#if !defined(RMEDIA_NO_EXCEPTIONS)
inline results pipeline::results(timeout wait) {
    return rmedia::results(*this, wait, false, nullptr);
}
inline results pipeline::run() {
    end();
    return rmedia::results(*this, forever, true, nullptr);
}
#endif

} // namespace RMEDIA_CPP_ABI
} // namespace rmedia

#undef RMEDIA_CPP_ABI

#endif // RMEDIA_HPP
