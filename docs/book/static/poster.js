// The start page: both photos have one divider. Each is a range input, so the keyboard and touch screens need no code here.
for (const poster of document.querySelectorAll(".poster")) {
  const sliders = poster.querySelectorAll("input[type=range]");
  const move = (percent) => {
    poster.style.setProperty("--split", `${percent}%`);
    sliders.forEach((slider) => { slider.value = percent; });
  };
  sliders.forEach((slider) => slider.addEventListener("input", () => move(slider.value)));
  move(sliders[0].value); // browsers restore it when a visitor returns
}
