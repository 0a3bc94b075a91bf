#pragma once

#include <saga/saga.hpp>

saga::Service payment_service();
