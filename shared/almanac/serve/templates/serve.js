"use strict";
// shows the number that the slider is on; the form works without it
const cap = document.getElementById("cap");
const shown = document.getElementById("cap-value");
cap.addEventListener("input", () => { shown.value = `${cap.value}%`; });
